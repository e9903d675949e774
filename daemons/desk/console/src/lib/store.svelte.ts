// What the console shows: the centre's state, the incident in the middle, and the news to be heard.

import { clock } from './clock.svelte';
import { incidentNews } from './words.svelte';
import { news } from './news';
import { groups, isRinging, select } from './queue';
import { reduce } from './reduce';
import { session } from './session.svelte';
import { sound } from './sound.svelte';
import { follow, type Link } from './stream';
import { standing } from './tone';
import type { Change } from './reduce';
import type { Incident, Site, State } from './types';

class Store {
  state = $state.raw<State | null>(null);
  link = $state<Link>('connecting');
  selected = $state<number | null>(null);
  /** Read out by a screen reader at once. */
  announcement = $state('');
  #stop: (() => void) | null = null;

  readonly seat = $derived(session.me?.seat ?? '');
  readonly incidents = $derived(this.state?.incidents ?? []);
  readonly groups = $derived(groups(this.incidents, this.seat));
  readonly ringing = $derived(this.incidents.filter(isRinging));
  readonly shown = $derived(this.incidents.find((incident) => incident.id === this.selected));
  readonly #sites = $derived(new Map((this.state?.sites ?? []).map((site) => [site.id, site])));

  site(id: string | null): Site | undefined {
    return id === null ? undefined : this.#sites.get(id);
  }

  start(): void {
    this.#stop ??= follow({
      changes: (changes) => this.#change(changes),
      link: (link) => this.#link(link),
      signedOut: () => session.expire(),
    });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.state = null;
    this.selected = null;
    this.link = 'connecting';
    sound.stand('none');
  }

  /** Takes an answer of the desk for an incident whose event has not come. */
  take(incident: Incident): void {
    this.#change([{ type: 'incident', data: incident }]);
  }

  #change(changes: Change[]): void {
    const before = this.state;
    const after = changes.reduce(reduce, before);
    if (after === null) return;
    this.state = after;
    if (changes.some(({ type }) => type === 'state' || type === 'tick')) clock.set(after.now);
    if (changes.some(({ type }) => type !== 'tick')) this.#tell(before, after);
  }

  #tell(before: State | null, after: State): void {
    const { alarms, offers, faults } = news(before, after, this.seat);
    const fresh = alarms.some((incident) => incident.id !== this.selected);
    this.selected = select(this.selected, after.incidents, this.seat, fresh);
    sound.stand(standing(after.incidents));
    if (alarms.some((incident) => incident.nature !== 'real')) sound.once('test');
    if (offers.length > 0) sound.once('offer');
    if (faults > 0) sound.once('fault');
    const spoken = [...alarms, ...offers].map((incident) => incidentNews(incident, this.site(incident.site)));
    if (spoken.length > 0) this.announcement = spoken.join(' ');
  }

  #link(link: Link): void {
    if (link === 'lost' && this.link !== 'lost') sound.once('fault');
    if (link === 'live') sound.muted = false;
    this.link = link;
  }
}

export const store = new Store();
