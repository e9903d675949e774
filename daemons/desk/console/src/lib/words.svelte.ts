// Sentences made of several texts.

import { t, word } from './i18n/index.svelte';
import type { Refusal } from './api';
import type { Incident, Site } from './types';

/** Refusals whose detail a person needs: how long, which field. */
const WITH_DETAIL = ['locked-out', 'bad-request', 'conflict', 'weak-password', 'unexpected', 'no-bundle', 'no-space', 'downgrade'];

export function refusalText(refusal: Refusal): string {
  const text = word('refusal', refusal.error);
  const known = text !== refusal.error;
  return !known || WITH_DETAIL.includes(refusal.error) ? `${text} (${refusal.detail})` : text;
}

export function siteName(site: Site | undefined, incident: { site: string | null; box: string }): string {
  return site?.name ?? incident.site ?? t('incident.unknown-site', { box: incident.box });
}

/** Where the point is, as the register has it; else its name. */
export function placeName(site: Site | undefined, point: string | null): string {
  return point === null ? t('incident.no-point') : (site?.places[point] ?? point);
}

/** What is said aloud when an incident rings or is offered. */
export function incidentNews(incident: Incident, site: Site | undefined): string {
  const values = {
    nature: incident.nature === 'real' ? '' : word('nature', incident.nature),
    kind: word('kind', incident.kind),
    site: siteName(site, incident),
    place: placeName(site, incident.alarms.at(-1)?.point ?? null),
    mode: incident.mode === 'silent' ? t('badge.silent') : '',
  };
  return t(incident.step === 'ringing' ? 'news.ringing' : 'news.offered', values).replace(/ +/g, ' ');
}
