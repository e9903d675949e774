// How well a picture comes, in words that say what is measured and what is estimated. Pure.

export interface Figures {
  transport: 'webtransport' | 'websocket' | null;
  /** Decoded pictures in a second, measured. */
  rate: number | null;
  /** Kilobits in a second, measured. */
  kbits: number | null;
  /** From the box's clock to this screen, milliseconds; an estimate, as good as both clocks. */
  delay: number | null;
  /** Round trip to the relay, milliseconds, as the relay measures it. */
  roundTrip: number | null;
  /** Packets lost, per cent of those received; the browser's estimate, none over WebSocket. */
  loss: number | null;
}

export interface Sample {
  /** Monotonic, milliseconds. */
  at: number;
  frames: number;
  bytes: number;
}

export function rates(before: Sample | null, now: Sample): { rate: number | null; kbits: number | null } {
  const ms = before === null ? 0 : now.at - before.at;
  if (before === null || ms <= 0 || now.frames < before.frames) return { rate: null, kbits: null };
  return {
    rate: Math.round(((now.frames - before.frames) * 10_000) / ms) / 10,
    kbits: Math.round(((now.bytes - before.bytes) * 8) / ms),
  };
}

/** Nonsense of clocks that disagree is not shown. */
export function delay(began: number, shownMs: number | undefined, now: number): number | null {
  if (shownMs === undefined) return null;
  const ms = Math.round(now - began - shownMs);
  return ms < -1000 || ms > 60_000 ? null : Math.max(0, ms);
}

export function loss(received: number | undefined, lost: number | undefined): number | null {
  if (received === undefined || lost === undefined || received + lost === 0) return null;
  return Math.round((lost / (received + lost)) * 1000) / 10;
}
