import { Refusal } from '../../base/errors.ts';
import { formatSize } from '../../base/units.ts';

export interface FormLimits {
  /** Bytes of all texts together. */
  readonly maxTextBytes: number;
  /** Bytes of one file and of all together, null = any. Asked when a file comes; may refuse. */
  readonly fileLimits: () => { readonly file: number | null; readonly total: number | null };
}

/** What may still come of one file. */
export interface FileSizeCheck {
  /** Throws (`Refusal`) where it has got too large. */
  check(size: number): void;
}

/** Counts what comes in a form, so that too much is refused long before its end. */
export interface FormSizeCheck {
  addText(name: string, value: string, isCut: boolean): Refusal | undefined;
  addFile(): FileSizeCheck;
}

export function createFormSizeCheck({ maxTextBytes, fileLimits }: FormLimits): FormSizeCheck {
  let texts = 0;
  let all = 0;
  return {
    addText(name, value, isCut) {
      texts += Buffer.byteLength(name) + Buffer.byteLength(value);
      return isCut || texts > maxTextBytes ? new Refusal('message_too_large') : undefined;
    },
    addFile() {
      const { file: max, total } = fileLimits();
      let counted = 0;
      return {
        check(size) {
          all += size - counted;
          counted = size;
          if (max !== null && size > max) throw tooLarge(max);
          if (total !== null && all > total) throw tooLarge(total, 'The files are too large together');
        },
      };
    },
  };
}

export function tooManyParts(what: string): Refusal {
  return new Refusal('bad_request', { text: `A form has at most ${what}.` });
}

function tooLarge(max: number, what = 'A file is too large'): Refusal {
  return new Refusal('file_too_large', {
    text: `${what}: at most ${max} bytes (${formatSize(max)}).`,
    maxFileSize: max,
  });
}
