import type { ShownFile } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { linkTo } from '../lib/route.ts';
import { FileIcon } from './file-icon.tsx';
import { RelativeTime } from './relative-time.tsx';

interface FileRowProps {
  readonly file: ShownFile;
  readonly hasOwner: boolean;
  readonly hasThumbnails: boolean;
  readonly isSelected: boolean;
  readonly onSelect: (isSelected: boolean) => void;
  readonly onOpen: () => void;
  readonly onDelete: () => void;
}

/** One file of the list. */
export function FileRow({ file, hasOwner, hasThumbnails, isSelected, ...on }: FileRowProps) {
  const { words, formats } = useLocale();
  const { name, size, owner = '', expiresAt, state } = file;
  const uploadedAt = file.uploadedAt ?? file.createdAt;
  const expiry = expiresAt === null ? words.never : formats.relative(expiresAt);
  return (
    <tr class={isSelected ? 'is-selected' : ''}>
      <td class="check-cell">
        <input
          type="checkbox"
          aria-label={words.select(name)}
          checked={isSelected}
          onChange={({ currentTarget }) => on.onSelect(currentTarget.checked)}
        />
      </td>
      <td class="name-cell">
        <div class="name-line">
          <FileIcon file={file} hasThumbnails={hasThumbnails} />
          <div class="name-text">
            <button
              type="button"
              class="name-button"
              aria-label={words.detailsOf(name)}
              title={name}
              onClick={on.onOpen}
            >
              {name}
            </button>
            <span class="marks">
              {file.isEncrypted && (
                <span class="mark" title={words.encryptedHint}>
                  {words.encrypted}
                </span>
              )}
              {file.purpose !== '' && <span class="mark">{file.purpose}</span>}
              {state !== 'stored' && <span class="mark">{words.states[state]}</span>}
            </span>
            <span class="narrow quiet">
              {formats.bytes(size)} · {formats.relative(uploadedAt)}
              {expiresAt !== null && ` · ${words.expires.toLowerCase()} ${expiry}`}
              {hasOwner && (
                <>
                  <br />
                  {owner}
                </>
              )}
            </span>
          </div>
        </div>
      </td>
      {hasOwner && (
        <td class="wide owner-cell">
          <a href={linkTo('user', owner)}>{owner}</a>
        </td>
      )}
      <td class="wide number">{formats.bytes(size)}</td>
      <td class="wide">
        <RelativeTime at={uploadedAt} />
      </td>
      <td class="wide">
        {expiresAt === null ? <span class="quiet">{expiry}</span> : <RelativeTime at={expiresAt} />}
      </td>
      <td class="action-cell">
        <button
          type="button"
          class="quiet-button"
          aria-label={words.deleteNamed(name)}
          title={words.delete}
          onClick={on.onDelete}
        >
          <svg class="small-icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5" />
          </svg>
        </button>
      </td>
    </tr>
  );
}
