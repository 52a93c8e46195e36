/**
 * Words that this project no longer uses, with the term that replaces them. The pattern is matched without case
 * against text in which `camelCase` and `snake_case` names are split into words.
 */
export interface RetiredWord {
  readonly pattern: RegExp;
  readonly use: string;
  /** Texts in which the word is right: terms of other projects and specifications. */
  readonly except?: RegExp;
}

export const RETIRED_WORDS: readonly RetiredWord[] = [
  { pattern: /\bhouses?\b/, use: 'Runtime, or the name of the part' },
  { pattern: /\bseats?\b/, use: 'cluster membership' },
  { pattern: /\bcrews?\b/, use: 'WorkerPool' },
  { pattern: /\bfleets?\b/, use: 'cluster, workers' },
  { pattern: /\bdesks?\b/, use: 'WorkerClient' },
  { pattern: /\bdoom\w*/, use: 'pending deletes' },
  { pattern: /\bbur(?:y|ied|ies|ying)\b/, use: 'confirmDeleted, releaseClaimsOfDeadProcesses' },
  { pattern: /\bstandings?\b/, use: 'MigrationState', except: /outstanding|long-standing/ },
  { pattern: /\bvoices?\b/, use: 'MessageSender', except: /XEP-0045|voice message/ },
  { pattern: /\blanes?\b/, use: 'queue key' },
  { pattern: /\bways? in\b|\bway-in\b/, use: 'endpoint, reverse proxy check' },
  { pattern: /\bmirrors?\b/, use: 'echo endpoint' },
  { pattern: /\brelinquish\w*/, use: 'release' },
  { pattern: /\bdoors?\b/, use: 'endpoint' },
  { pattern: /\blinger\w*/, use: 'drain', except: /lingering_close/ },
  { pattern: /\bspeakers?\b|\bspeech\b|\bsayings?\b/, use: 'MessageSender, delivery' },
  { pattern: /\badopt\w*/, use: 'import' },
  { pattern: /\bhot files?\b/, use: 'FileCache' },
  { pattern: /\bverdicts?\b/, use: 'classification, result' },
  { pattern: /\bduties\b|\bresign\w*/, use: 'LeaderTasks, stop' },
  { pattern: /\bmend(?:s|ed|ing)?\b/, use: 'repair' },
  {
    pattern: /\bnobody\b|\bno one\b/,
    use: 'the affected thing',
    except: /nobody:nogroup|user nobody|User=nobody/,
  },
  { pattern: /\bfor ever\b/, use: 'forever, without limit' },
  { pattern: /\bwhom\b/, use: 'a plain sentence' },
  { pattern: /\bof ours\b|\bof its own\b|\bof their own\b/, use: 'a plain sentence' },
  { pattern: /\bwhat waits\b|\bwho waits\b/, use: 'pending, queued' },
  { pattern: /\bthe story\b/, use: 'details' },
  { pattern: /\btold\b|\btells of\b|\btell of\b/, use: 'report, notify, return' },
  { pattern: /\bknows of\b/, use: 'records, has' },
  { pattern: /\blets? in\b/, use: 'accept, allow' },
  { pattern: /\bsays so\b/, use: 'report' },
];

/** A comment sentence that begins with a free relative clause. Questions are allowed. */
export const FREE_RELATIVE =
  /(?:\/\*\* |\/\/ |^\s*\* |[.;:] )(?:What|Who|Whoever|Whatever|Whose) [^.?!]*(?:[.!]|\*\/|$)/;
