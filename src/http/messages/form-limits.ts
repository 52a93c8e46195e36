import { Refusal } from '../../base/errors.ts';
import { formatSize } from '../../base/units.ts';

export interface FormLimits {
  /** Bytes of all text fields together. */
  readonly maxTextBytes: number;
  /** Bytes of one file and of all files together, null for no limit. Called when a file begins; may throw `Refusal`. */
  readonly fileLimits: () => { readonly file: number | null; readonly total: number | null };
}

/** Checks the size of one file while it arrives. */
export interface FileSizeCheck {
  /** Throws `Refusal` (`file_too_large`) if `size`, the bytes received so far, exceeds a limit. */
  check(size: number): void;
}

/** Checks the sizes in a form while it arrives, so that it is refused before its end. */
export interface FormSizeCheck {
  /** Counts a text field. Returns the refusal if all text fields together, or this one (`isCut`), are too long. */
  addText(name: string, value: string, isCut: boolean): Refusal | undefined;
  addFile(): FileSizeCheck;
}

export function createFormSizeCheck({ maxTextBytes, fileLimits }: FormLimits): FormSizeCheck {
  let textBytes = 0;
  let fileBytes = 0;
  return {
    addText(name, value, isCut) {
      textBytes += Buffer.byteLength(name) + Buffer.byteLength(value);
      return isCut || textBytes > maxTextBytes ? new Refusal('message_too_large') : undefined;
    },
    addFile() {
      const { file: max, total } = fileLimits();
      let counted = 0;
      return {
        check(size) {
          fileBytes += size - counted;
          counted = size;
          if (max !== null && size > max) throw tooLarge(max);
          if (total !== null && fileBytes > total) throw tooLarge(total, 'The files together are too large');
        },
      };
    },
  };
}

export function tooManyParts(limit: string): Refusal {
  return new Refusal('bad_request', { text: `A form has at most ${limit}.` });
}

function tooLarge(max: number, problem = 'A file is too large'): Refusal {
  return new Refusal('file_too_large', {
    text: `${problem}: at most ${max} bytes (${formatSize(max)}).`,
    maxFileSize: max,
  });
}
