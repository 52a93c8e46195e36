import { useLocale } from '../lib/language.ts';
import type { Notice } from '../lib/notices.ts';

/** The latest notice. The region is always there, because screen readers announce only changes of a known region. */
export function NoticeBar({ notice, onClose }: { notice: Notice | null; onClose: () => void }) {
  const { words } = useLocale();
  return (
    <div class="notices" role="status" aria-live="polite">
      {notice && (
        <div class={notice.isError ? 'notice notice-error' : 'notice'}>
          <span>{notice.text}</span>
          {notice.action && (
            <button
              type="button"
              class="link-button"
              onClick={() => {
                notice.action?.run();
                onClose();
              }}
            >
              {notice.action.label}
            </button>
          )}
          <button type="button" class="icon-button" aria-label={words.close} onClick={onClose}>
            ×
          </button>
        </div>
      )}
    </div>
  );
}
