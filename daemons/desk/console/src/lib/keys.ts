// Keys that act without a focused control: Enter answers, Space acknowledges, arrows walk through the queue.

import { acknowledge, answer } from './actions.svelte';
import { isRinging, isUnacknowledged, rows, target } from './queue';
import { route } from './route.svelte';
import { may } from './rules';
import { session } from './session.svelte';
import { store } from './store.svelte';

const CONTROLS = 'a, button, input, select, textarea, summary, dialog, [contenteditable]';

export function handleKey(event: KeyboardEvent): void {
  const control = (event.target as Element | null)?.closest?.(CONTROLS);
  if (control || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (document.querySelector('dialog[open]') !== null) return;
  const act = { Enter: answerTop, ' ': acknowledgeTop, ArrowDown: () => walk(1), ArrowUp: () => walk(-1) }[event.key];
  if (act?.()) event.preventDefault();
}

/** After a mouse click the button gives its focus back, so that the next Enter answers and does not click again. */
export function handleClick(event: MouseEvent): void {
  const button = (event.target as Element | null)?.closest?.('button, summary');
  if (event.detail > 0 && button instanceof HTMLElement && button.closest('dialog') === null) button.blur();
}

export function answerTop(): boolean {
  const top = target(store.ringing, store.selected, isRinging);
  if (top === undefined || !may(session.me, 'answer')) return false;
  route.go('seat');
  void answer(top.id);
  return true;
}

function acknowledgeTop(): boolean {
  const top = target(store.ringing, store.selected, isUnacknowledged);
  if (top === undefined || !may(session.me, 'acknowledge')) return false;
  void acknowledge(top.id);
  return true;
}

function walk(by: number): boolean {
  if (route.view !== 'seat') return false;
  const all = rows(store.incidents, store.seat);
  const place = all.findIndex((incident) => incident.id === store.selected);
  const next = all[Math.min(all.length - 1, Math.max(0, place + by))];
  if (next !== undefined) store.selected = next.id;
  return next !== undefined;
}
