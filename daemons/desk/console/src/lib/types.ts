// The shapes of the HTTP interface, as the desk's view.rs has them; a test compares the two.
// Times are Unix milliseconds.

export type Step =
  | 'ringing' | 'answered' | 'verified' | 'dispatched' | 'en-route' | 'arrived' | 'closed';
export type Nature = 'real' | 'test' | 'drill';
export type Mode = 'silent' | 'ordinary';
export type Role = 'auxiliary' | 'regular' | 'supervisor' | 'commander' | 'technician' | 'administrator';
export type May =
  | 'acknowledge' | 'answer' | 'transfer' | 'progress' | 'close' | 'test' | 'register' | 'enrol' | 'accounts'
  | 'watch' | 'hold' | 'announce' | 'update';
export type Light = 'off' | 'steady' | 'flashing';

export interface State {
  seq: number;
  now: number;
  centre: string;
  incidents: Incident[];
  sites: Site[];
  boxes: Appliance[];
  seats: Seat[];
  faults: Fault[];
  figures: Figures;
  announcements: Announcement[];
  bundles: Bundle[];
  rollout: Rollout | null;
}

export interface Incident {
  id: number;
  kind: string;
  mode: Mode;
  nature: Nature;
  priority: number;
  step: Step;
  received: number;
  newest: number;
  durable: boolean;
  site: string | null;
  box: string;
  alarms: Alarm[];
  presses: number;
  acknowledged_by: string | null;
  acknowledged: number | null;
  seat: string | null;
  answered: number | null;
  offered_to: string | null;
  escalated: boolean;
  requeued: boolean;
  outcome: string | null;
  note: string | null;
  closed: number | null;
  boxes: string[];
  takes: Take[];
  held: boolean;
  playing: Playing | null;
}

export interface Alarm {
  id: string;
  point: string | null;
  at: number;
  received: number;
  path: string;
  clock_sure: boolean;
  at_start: boolean;
  count: number;
  restored: number | null;
}

export interface Site {
  id: string;
  name: string;
  address: string;
  latitude: number | null;
  longitude: number | null;
  contacts: Contact[];
  places: Record<string, string>;
  test_until: number | null;
}

export interface Contact {
  name: string;
  phone: string;
}

export interface Appliance {
  id: string;
  site: string | null;
  enrolment: 'waiting' | 'enrolled' | 'revoked';
  paths: Path[];
  points: Point[];
  faults: Fault[];
  waiting: number;
  software: string | null;
  image: Software | null;
  certificate_until: number | null;
  shown: Shown | null;
  commission: Commission | null;
  selftest: SelfTest | null;
  cameras: Camera[];
  watching: Watching[];
  relay: RelayState | null;
}

export interface Commission {
  done: number | null;
  by: string | null;
  missing: Missing[];
}

export interface Missing {
  what: string;
  name: string | null;
  why: string | null;
}

export interface SelfTest {
  at: number;
  cause: string;
  whole: boolean;
  points: Proof[];
}

export interface Proof {
  point: string;
  how: string;
  ms: number;
  failed: string | null;
  at: number;
  proved: number | null;
}

export interface Path {
  id: string;
  up: boolean;
  since: number | null;
}

export interface Point {
  id: string;
  kind: string;
  wiring: string;
  state: string;
  warning: string | null;
}

export interface Fault {
  point: string | null;
  path: string | null;
  camera: string | null;
  fault: string;
  since: number;
}

export interface Shown {
  red: Light;
  amber: Light;
  blue: Light;
  green: Light;
  siren: boolean;
  siren_cut: boolean;
}

export interface Seat {
  id: string;
  user: string;
  name: string;
  role: Role;
  since: number;
}

export interface Figures {
  received: number;
  answered: number;
  within_15_s: number | null;
  within_20_s: number | null;
  median_ms: number | null;
}

export interface Setup {
  needed: boolean;
  centre: string;
}

export interface NewSetup {
  code: string;
  user: string;
  name: string;
  password: string;
}

export interface SignIn {
  user: string;
  password: string;
  seat: string;
}

export interface Me {
  user: string;
  name: string;
  role: Role;
  seat: string;
  may: May[];
}

export interface Offer {
  to: string;
}

export interface Progress {
  step: string;
}

export interface Close {
  outcome: string;
  note: string;
}

export interface TestWindow {
  minutes: number;
}

export interface NewBox {
  id: string;
  site: string | null;
}

export interface Ticket {
  text: string;
  qr: string;
  expires: number;
  file: string;
}

export interface Account {
  user: string;
  name: string;
  role: Role;
}

export interface NewAccount {
  user: string;
  name: string;
  role: Role;
  password: string;
}

export interface NewPassword {
  password: string;
}

export interface Line {
  seq: number;
  at: number;
  event: { event: string } & Record<string, unknown>;
}

export interface Problem {
  error: string;
  detail: string;
}

// Pictures and sound: the shapes of the desk's view/media.rs.

export interface Take {
  take: string;
  box: string | null;
  camera: string | null;
  began: number;
  from: number;
  to: number;
  gaps: Gap[];
  ended: boolean;
  removed: boolean;
}

export interface Gap {
  track: string;
  from: number;
  to: number;
}

export interface Camera {
  id: string;
  live: boolean;
  still: number | null;
  fault: string | null;
}

export interface Watching {
  seat: string;
  user: string;
  cameras: string[];
  until: number;
}

export interface RelayState {
  port: number;
  free: number;
  sessions: number[];
}

export interface Pass {
  pass: string;
  until: number;
  host: string;
  port: number;
  tls: boolean;
  certificates: string[];
  room: string | null;
  publish: string | null;
  see: string[];
  mode: Mode | null;
  voice: string | null;
}

export interface NewWatch {
  cameras: string[];
  reason: string;
}

export interface Hold {
  held: boolean;
}

export interface Snapshot {
  sha256: string;
  bytes: number;
}

export interface Announcement {
  sha256: string;
  name: string;
  bytes: number;
  length: number;
  added: number;
  by: string;
}

export interface Playing {
  sha256: string;
  name: string;
  seat: string;
  since: number;
  until: number;
}

export interface NewLoop {
  sha256: string;
}

export interface NewName {
  name: string;
}

// Updates: the shapes of the desk's view/updates.rs.

export interface Bundle {
  sha256: string;
  image: string;
  version: string;
  bytes: number;
  signature: 'good' | 'unchecked';
  added: number;
  by: string;
}

export interface NewRollout {
  version: string;
  box: string | null;
  site: string | null;
}

export interface Rollout {
  version: string;
  mood: 'running' | 'paused' | 'halted' | 'ended';
  box: string | null;
  site: string | null;
  began: number;
  by: string;
  ended: number | null;
  ended_by: string | null;
  boxes: Updating[];
}

export interface Updating {
  box: string;
  is: string;
  runs: string | null;
  fetched: number;
  bytes: number;
  cause: string | null;
  reason: string | null;
}

export interface Software {
  image: string;
  version: string;
}
