// The form of a site: rows that are typed, and the entry they make. Pure.

import { isName } from './rules';
import type { Contact, Site } from './types';

export interface Form {
  id: string;
  name: string;
  address: string;
  latitude: string;
  longitude: string;
  contacts: Contact[];
  places: { point: string; place: string }[];
}

/** What a field may be wrong about; the console has a text for each. */
export type Wrong = 'name' | 'id' | 'position' | 'contact' | 'point' | 'point-twice';

export function formOf(site?: Site): Form {
  const text = (degrees: number | null | undefined) => (degrees === null || degrees === undefined ? '' : String(degrees));
  return {
    id: site?.id ?? '',
    name: site?.name ?? '',
    address: site?.address ?? '',
    latitude: text(site?.latitude),
    longitude: text(site?.longitude),
    contacts: (site?.contacts ?? []).map((contact) => ({ ...contact })),
    places: Object.entries(site?.places ?? {}).map(([point, place]) => ({ point, place })),
  };
}

/** The entry, or what is wrong with the form. Rows left empty are left out. */
export function siteOf(form: Form): Site | Wrong {
  const contacts = form.contacts
    .map(({ name, phone }) => ({ name: name.trim(), phone: phone.trim() }))
    .filter(({ name, phone }) => name !== '' || phone !== '');
  const places = form.places
    .map(({ point, place }) => [point.trim(), place.trim()] as const)
    .filter(([point, place]) => point !== '' || place !== '');
  const latitude = degrees(form.latitude, 90);
  const longitude = degrees(form.longitude, 180);
  if (!isName(form.id.trim())) return 'id';
  if (form.name.trim() === '') return 'name';
  if (latitude === undefined || longitude === undefined || (latitude === null) !== (longitude === null)) return 'position';
  if (contacts.some(({ name, phone }) => name === '' || phone === '')) return 'contact';
  if (places.some(([point]) => !isName(point))) return 'point';
  if (new Set(places.map(([point]) => point)).size < places.length) return 'point-twice';
  return {
    id: form.id.trim(), name: form.name.trim(), address: form.address.trim(),
    latitude, longitude, contacts, places: Object.fromEntries(places), test_until: null,
  };
}

/** Null when empty, undefined when it is no angle up to `most`. */
function degrees(text: string, most: number): number | null | undefined {
  if (text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && Math.abs(value) <= most ? value : undefined;
}
