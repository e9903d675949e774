// What a line of the journal says, for people. Pure.

export interface Fact {
  name: string;
  value: string;
  /** Group of texts that its word belongs to. */
  group: string | null;
}

type Fields = Record<string, unknown>;

/** Fields that say nothing new beside the incident: its own number, numbers of notices, the kind of notice. */
const HIDDEN = new Set([
  'event', 'incident', 'id', 'of', 'at', 'is', 'from', 'recorded', 'number', 'sha256', 'chain', 'bytes', 'track', 'length', 'shown', 'relay', 'held', 'until',
]);
const GROUPS: Record<string, string> = {
  step: 'step', outcome: 'outcome', nature: 'nature', mode: 'mode', kind: 'kind', fault: 'fault', path: 'path', by: 'actor', why: 'why',
};

/** The word for the line: a received notice is named by what it says. */
export function headline(event: Fields): string {
  const what = fields(fields(event['notice'])['what'])['is'];
  if (event['event'] === 'received' && typeof what === 'string') return what;
  if (event['event'] === 'recorded') return `recorded-${String(fields(event['what'])['recorded'])}`;
  if (event['event'] === 'held') return event['held'] === true ? 'held' : 'released';
  return String(event['event']);
}

/** The still picture that a line tells of. */
export function picture(event: Fields): string | null {
  const sha256 = event['sha256'];
  return event['event'] === 'snapshot-taken' && typeof sha256 === 'string' ? sha256 : null;
}

/** The telling fields of a line, each once, nested ones flattened. */
export function facts(event: Fields): Fact[] {
  const found = new Map<string, Fact>();
  for (const fact of flatten(event)) if (!found.has(fact.name)) found.set(fact.name, fact);
  return [...found.values()];
}

function flatten(event: Fields): Fact[] {
  const scalars = Object.entries(event).filter(([, value]) => typeof value !== 'object');
  const nested = Object.entries(event).filter(([, value]) => typeof value === 'object' && value !== null);
  return [
    ...scalars.flatMap(([name, value]) => scalar(name, value)),
    ...nested.flatMap(([name, value]) => (name === 'by' ? actor(fields(value)) : flatten(fields(value)))),
  ];
}

function scalar(name: string, value: unknown): Fact[] {
  if (HIDDEN.has(name) || value === '' || value === undefined) return [];
  // A sure clock is what one expects; an unsure one is news. Other flags are the other way round.
  if (typeof value === 'boolean') return value === (name !== 'clock-sure') ? [{ name, value: '', group: null }] : [];
  if (name === 'nature' && value === 'real') return [];
  return [{ name, value: String(value), group: GROUPS[name] ?? null }];
}

/** `desk` is a word; a wall and a person at a seat are objects. */
function actor(by: Fields): Fact[] {
  const { user, seat } = fields(by['seat']);
  if (user !== undefined) return [{ name: 'by', value: `${String(user)} @ ${String(seat)}`, group: null }];
  return [{ name: 'by', value: 'wall', group: 'actor' }];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
