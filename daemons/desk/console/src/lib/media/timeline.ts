// A camera's recording on one line of time, from before the press until now. Pure. Times are Unix milliseconds by the
// box's clock, as takes have them.

import type { Take } from '../types';

/** Shown from before the press (DB15/T 3968-2025: 30 s). */
export const BEFORE_MS = 30_000;

export interface Span {
  from: number;
  to: number;
}

export interface Moment {
  /** The take that shows it. */
  take: string;
  /** Seconds of the take. */
  seconds: number;
}

/** The takes of one camera that the relay still has, in their order. */
export function takesOf(takes: Take[], box: string, camera: string): Take[] {
  return takes
    .filter((take) => take.box === box && take.camera === camera && !take.removed && take.to > take.from)
    .toSorted((a, b) => a.began - b.began);
}

/** From 30 s before the press to now, and as far as anything is recorded. */
export function axis(takes: Take[], pressed: number, now: number): Span {
  const ends = takes.map((take) => take.began + take.to);
  return { from: pressed - BEFORE_MS, to: Math.max(pressed + 1000, now, ...ends) };
}

/** What is recorded, without what is missing in it. */
export function recorded(takes: Take[]): Span[] {
  return takes.flatMap((take) => {
    let spans: Span[] = [{ from: take.from, to: take.to }];
    for (const gap of take.gaps) spans = spans.flatMap((span) => without(span, gap));
    return spans.map(({ from, to }) => ({ from: take.began + from, to: take.began + to }));
  });
}

function without(span: Span, gap: Span): Span[] {
  if (gap.to <= span.from || span.to <= gap.from) return [span];
  const parts = [{ from: span.from, to: gap.from }, { from: gap.to, to: span.to }];
  return parts.filter((part) => part.from < part.to);
}

/** Where to find a moment: in the take that has it, else at the beginning of the next one, else at the very end. */
export function find(takes: Take[], at: number): Moment | null {
  for (const take of takes.toReversed()) {
    if (take.began + take.from <= at && at < take.began + take.to) return moment(take, at - take.began);
  }
  const next = takes.find((take) => take.began + take.from > at);
  if (next !== undefined) return moment(next, next.from);
  const last = takes.at(-1);
  return last === undefined ? null : moment(last, last.to);
}

function moment(take: Take, ms: number): Moment {
  return { take: take.take, seconds: ms / 1000 };
}

/** Back from a player's position to the time of day. */
export function wallTime(takes: Take[], take: string, seconds: number): number | null {
  const of = takes.find((one) => one.take === take);
  return of === undefined ? null : of.began + seconds * 1000;
}

/** What follows when a take's end is played out. */
export function after(takes: Take[], take: string): Moment | null {
  const next = takes[takes.findIndex((one) => one.take === take) + 1];
  return next === undefined ? null : moment(next, next.from);
}

/** A place on the line, per cent. */
export function per(axis: Span, at: number): number {
  return Math.min(100, Math.max(0, ((at - axis.from) / (axis.to - axis.from)) * 100));
}
