import { useEffect, useState } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';

/** A link as a QR code, drawn as one SVG path. Always dark on white, because many readers need that. */
export function QrCode({ text }: { text: string }) {
  const { words } = useLocale();
  const [modules, setModules] = useState<readonly (readonly boolean[])[]>([]);
  useEffect(() => {
    let isGone = false;
    void import('uqr').then(({ encode }) => {
      if (!isGone) setModules(encode(text, { border: 2 }).data);
    });
    return () => {
      isGone = true;
    };
  }, [text]);
  const path = modules.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')));
  return (
    <svg class="qr" viewBox={`0 0 ${modules.length} ${modules.length}`} role="img" aria-label={words.qrCode}>
      <path d={path.join('')} shape-rendering="crispEdges" />
    </svg>
  );
}
