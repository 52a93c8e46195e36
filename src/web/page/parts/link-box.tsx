import { useState } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';
import { CopyButton } from './copy-button.tsx';
import { QrCode } from './qr-code.tsx';

/** A link that can be copied and shown as a QR code. */
export function LinkBox({ link, label }: { link: string; label: string }) {
  const { words } = useLocale();
  const [isQrShown, showQr] = useState(false);
  return (
    <div class="stack">
      <div class="link-box">
        <input
          readOnly
          value={link}
          aria-label={label}
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
        <CopyButton text={link} label={words.copy} />
        <button type="button" aria-expanded={isQrShown} onClick={() => showQr(!isQrShown)}>
          {words.showQr}
        </button>
      </div>
      {isQrShown && <QrCode text={link} />}
    </div>
  );
}
