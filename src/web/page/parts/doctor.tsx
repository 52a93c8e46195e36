import { useState } from 'preact/hooks';
import { type Answer, call } from '../lib/api.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { CopyButton } from './copy-button.tsx';
import { ErrorText } from './error-text.tsx';

type Report = Answer<'POST /admin/doctor'>;

/** Runs `porter doctor` and shows its findings, with the lines that fix them. */
export function Doctor() {
  const locale = useLocale();
  const { words } = locale;
  const [report, setReport] = useState<Report | null>(null);
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState('');
  async function run(): Promise<void> {
    setRunning(true);
    setError('');
    try {
      setReport(await call('POST /admin/doctor'));
    } catch (cause) {
      setError(errorText(locale, cause));
    } finally {
      setRunning(false);
    }
  }
  return (
    <section class="stack">
      <h2>{words.doctor}</h2>
      <p>{words.doctorHint}</p>
      <div>
        <button type="button" disabled={isRunning} onClick={run}>
          {isRunning ? words.doctorRuns : words.runDoctor}
        </button>
      </div>
      <ErrorText text={error} />
      <div role="status" class="stack">
        {report && (
          <p class={report.ok ? 'state-good' : 'state-bad'}>
            {report.ok ? words.doctorOk : words.doctorNotOk}
          </p>
        )}
        <ul class="cards">
          {report?.findings.map(({ check, state, text }) => (
            <li key={`${check} ${text}`} class="card">
              <div class="card-line">
                <strong>{check}</strong>
                <span class={`mark state-${state}`}>{words.findings[state] ?? state}</span>
              </div>
              <p class="finding">{text}</p>
              {state !== 'ok' && state !== 'skip' && <CopyButton text={text} label={words.copy} />}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
