/** A running server that stores files by PUT and serves them by GET. */
export interface FileServer {
  /** The name in the tables. */
  readonly name: string;
  readonly url: string;
  /** The certificate of a server with TLS, PEM. */
  readonly ca?: string;
  /** The folder of its files; the benchmark removes large ones between runs. */
  readonly files: string;
  /** The id of its main process. */
  readonly pid: number;
  /** The status of a successful PUT. Default: 201. */
  readonly putStatus?: number;
  /** Returns slots for `count` files of `size` bytes. */
  slots(count: number, size: number): Promise<UploadSlot[]>;
}

export interface UploadSlot {
  readonly putPath: string;
  /** The headers of the PUT, as clients of this server send them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly getPath: string;
}

/** The content type of all files. */
export const FILE_TYPE = 'application/octet-stream';
export const FILE_NAME = 'bench.bin';
