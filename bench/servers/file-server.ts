/** A running server that takes files by PUT and gives them back by GET. */
export interface FileServer {
  /** As the tables call it. */
  readonly name: string;
  readonly url: string;
  /** Where its files are; the benchmark removes large ones itself between runs. */
  readonly files: string;
  /** Its first process. */
  readonly pid: number;
  /** What it answers to a PUT that it has stored; 201 where nothing is said. */
  readonly putStatus?: number;
  /** The right to PUT `count` files of `size` bytes, each once. */
  slots(count: number, size: number): Promise<UploadSlot[]>;
}

export interface UploadSlot {
  readonly putPath: string;
  /** Of the PUT, as the server's own clients send them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly getPath: string;
}

/** The type that every file of the benchmark has. */
export const FILE_TYPE = 'application/octet-stream';
export const FILE_NAME = 'bench.bin';
