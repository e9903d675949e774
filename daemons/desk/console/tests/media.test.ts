import { describe, expect, test } from 'vitest';
import { newest, take, voices } from '../src/lib/media/broadcasts';
import { door, mustUseWebSocket, recording, renewIn } from '../src/lib/media/door';
import { delay, loss, rates } from '../src/lib/media/figures';
import { keepLine, type Options } from '../src/lib/media/line';
import { isHeard, move, publishes, renew, talk, type Move, type Voice } from '../src/lib/media/talk';
import { after, axis, find, per, recorded, takesOf, wallTime } from '../src/lib/media/timeline';
import { cameraName, hasRelay, mosaic, shownCameras } from '../src/lib/media/view';
import type { Camera, Pass, Take } from '../src/lib/types';
import { box, incident } from './made';

function pass(change: Partial<Pass> = {}): Pass {
  return {
    pass: 'a.b', until: 0, host: '', port: 4433, tls: true, certificates: [btoa('\x01\x02')], room: 'room/7',
    publish: 'room/7/seat-me', see: ['box/s', 'room/7'], mode: 'ordinary', voice: 'me', ...change,
  };
}

describe('which broadcast is shown', () => {
  test('only takes of cameras are pictures', () => {
    expect(take('box/s/cam/gate/5')).toEqual({ path: 'box/s/cam/gate/5', box: 's', camera: 'gate', began: 5 });
    for (const no of ['box/s/still/gate', 'box/s/cam/gate', 'box/s/cam/gate/x', 'box/s/cam/gate/5/6', 'room/7/seat-a', '']) {
      expect(take(no), no).toBeNull();
    }
  });

  test('the newest take of each camera, whatever the order of announcements', () => {
    const paths = ['box/s/cam/gate/9', 'box/s/cam/yard/3', 'box/s/cam/gate/10', 'box/r/cam/gate/1', 'box/s/state'];
    expect(newest(paths).map((one) => one.path)).toEqual(['box/r/cam/gate/1', 'box/s/cam/gate/10', 'box/s/cam/yard/3']);
    expect(newest(paths.filter((path) => !path.endsWith('/10'))).map((one) => one.began)).toEqual([1, 9, 3]);
  });

  test('a seat hears everybody in the room but itself', () => {
    const paths = ['room/7/seat-me', 'room/7/seat-you', 'room/71/seat-x', 'box/s/cam/gate/1'];
    expect(voices(paths, 'room/7', 'room/7/seat-me')).toEqual(['room/7/seat-you']);
    expect(voices(paths, null, '')).toEqual([]);
  });
});

describe('the way to the relay', () => {
  test('at the rack\'s own address unless the relay says another', () => {
    const { url, webSocket, hashes } = door(pass(), { hostname: 'rack' });
    expect([url, webSocket]).toEqual(['https://rack:4433/?pass=a.b', 'wss://rack:4433/?pass=a.b']);
    expect(hashes.map((hash) => [...hash])).toEqual([[1, 2]]);
    expect(door(pass({ host: 'relay.police', tls: false }), { hostname: 'rack' }).webSocket).toBe('ws://relay.police:4433/?pass=a.b');
    expect(recording(pass(), { hostname: 'rack' }, 's/gate/5')).toBe('https://rack:4433/recordings/s/gate/5.mp4?pass=a.b');
  });

  test('WebTransport stalls in every engine of Apple\'s', () => {
    const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)';
    const table: [string, number, boolean][] = [
      ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36', 0, false],
      ['Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0', 10, false],
      ['Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0', 0, false],
      [`${mac} Chrome/140.0 Safari/537.36`, 0, false],
      [`${mac} Version/26.4 Safari/605.1.15`, 0, true],
      [`${mac} Chrome/140.0`, 5, true],
      ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0', 5, true],
      ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/140.0 Mobile/15E148 Safari/604.1', 5, true],
    ];
    for (const [agent, touch, must] of table) expect(mustUseWebSocket(agent, touch), agent).toBe(must);
  });

  test('a pass is renewed a minute before its end', () => {
    expect([renewIn(600_000, 0), renewIn(50_000, 0), renewIn(0, 5)]).toEqual([540_000, 0, 0]);
  });

  test('a line that breaks is made again, with a fresh pass', async () => {
    const told: string[] = [];
    let asked = 0;
    await new Promise<void>((done) => {
      const stop = keepLine<{ closed: Promise<void>; close(): void }>(
        async (url: URL, options: Options) => {
          expect([url.pathname, options.websocket.url.protocol]).toEqual(['/', 'wss:']);
          return { closed: Promise.resolve(), close() {} };
        },
        async () => (asked++, door(pass(), { hostname: 'rack' })),
        (state) => {
          told.push(state);
          if (told.length === 6) (stop(), done());
        },
      );
    });
    expect(told).toEqual(['connecting', 'up', 'down', 'connecting', 'up', 'down']);
    expect(asked).toBe(2);
  });
});

describe('who is heard', () => {
  const begun = () => {
    const now = talk(pass());
    if (!now.can) throw new Error('the host of an ordinary incident may speak');
    return now;
  };

  test('a silent incident has no way to publish, not even with a pass that names one', () => {
    for (const mode of ['silent', null] as const) {
      const now = talk(pass({ mode }));
      expect([now.can, isHeard(now), publishes(now)]).toEqual([false, false, false]);
      expect('path' in now).toBe(false);
    }
    expect(talk(pass({ publish: null }))).toEqual({ can: false, why: 'guest' });
  });

  test('an incident that turns silent ends it, whatever was going on', () => {
    const loud = move(begun(), 'latch');
    expect(isHeard(loud)).toBe(true);
    expect(renew(loud, pass())).toBe(loud);
    for (const next of [pass({ mode: 'silent', publish: null }), pass({ publish: null })]) {
      expect(publishes(renew(loud, next))).toBe(false);
    }
  });

  test('transition table', () => {
    const table: Record<Voice['state'], Partial<Record<Move, Voice['state']>>> = {
      muted: { press: 'pressed', latch: 'latched', hold: 'held' },
      pressed: { release: 'muted', latch: 'latched', mute: 'muted', hold: 'held' },
      latched: { mute: 'muted', hold: 'held' },
      held: { resume: 'muted' },
    };
    const moves: Move[] = ['press', 'release', 'latch', 'mute', 'hold', 'resume', 'show', 'hide'];
    for (const state of ['muted', 'pressed', 'latched', 'held'] as const) {
      for (const what of moves) {
        const next = move({ ...begun(), state }, what);
        expect(next.state, `${state} ${what}`).toBe(table[state][what] ?? state);
        expect(isHeard(next)).toBe(next.state === 'pressed' || next.state === 'latched');
        expect(publishes(next)).toBe(next.state !== 'held');
      }
    }
    expect([move(begun(), 'show').picture, move(move(begun(), 'show'), 'hide').picture]).toEqual([true, false]);
  });
});

describe('the line of time', () => {
  const made = (began: number, to: number, change: Partial<Take> = {}): Take => ({
    take: `s/gate/${began}`, box: 's', camera: 'gate', began, from: 0, to, gaps: [], ended: true, removed: false, ...change,
  });
  const takes = [made(100_000, 20_000, { gaps: [{ track: 'video', from: 5000, to: 8000 }] }), made(130_000, 10_000)];

  test('takes of one camera in order, without those that are gone', () => {
    const all = [takes[1]!, made(1, 5, { removed: true }), made(2, 0), made(3, 5, { camera: 'yard' }), takes[0]!];
    expect(takesOf(all, 's', 'gate').map((one) => one.began)).toEqual([100_000, 130_000]);
  });

  test('from 30 s before the press to now', () => {
    expect(axis(takes, 132_000, 150_000)).toEqual({ from: 102_000, to: 150_000 });
    expect(axis(takes, 132_000, 0).to).toBe(140_000);
    expect([per({ from: 0, to: 200 }, 50), per({ from: 0, to: 200 }, -9), per({ from: 0, to: 200 }, 900)]).toEqual([25, 0, 100]);
  });

  test('what is missing is not shown as recorded', () => {
    expect(recorded(takes)).toEqual([
      { from: 100_000, to: 105_000 }, { from: 108_000, to: 120_000 }, { from: 130_000, to: 140_000 },
    ]);
    expect(recorded([made(0, 10, { gaps: [{ track: 'video', from: 0, to: 10 }] })])).toEqual([]);
  });

  test('a moment is found in its take, else where it goes on', () => {
    expect(find(takes, 101_500)).toEqual({ take: 's/gate/100000', seconds: 1.5 });
    expect(find(takes, 125_000)).toEqual({ take: 's/gate/130000', seconds: 0 });
    expect(find(takes, 0)).toEqual({ take: 's/gate/100000', seconds: 0 });
    expect(find(takes, 999_000)).toEqual({ take: 's/gate/130000', seconds: 10 });
    expect(find([], 5)).toBeNull();
    expect(wallTime(takes, 's/gate/130000', 2.5)).toBe(132_500);
    expect(after(takes, 's/gate/100000')).toEqual({ take: 's/gate/130000', seconds: 0 });
    expect(after(takes, 's/gate/130000')).toBeNull();
  });
});

describe('figures', () => {
  test('rates are between two looks', () => {
    expect(rates(null, { at: 1000, frames: 10, bytes: 10 })).toEqual({ rate: null, kbits: null });
    const before = { at: 1000, frames: 10, bytes: 1000 };
    expect(rates(before, { at: 3000, frames: 60, bytes: 501_000 })).toEqual({ rate: 25, kbits: 2000 });
    expect(rates(before, { at: 3000, frames: 0, bytes: 0 }).rate).toBeNull();
  });

  test('clocks that disagree tell no delay', () => {
    expect(delay(100_000, 5000, 105_300)).toBe(300);
    expect(delay(100_000, 5000, 104_800)).toBe(0);
    expect([delay(100_000, 5000, 500_000), delay(100_000, 5000, 0), delay(1, undefined, 5)]).toEqual([null, null, null]);
    expect([loss(990, 10), loss(undefined, 3), loss(0, 0)]).toEqual([1, null, null]);
  });
});

describe('which cameras are shown', () => {
  const known = (id: string): Camera => ({ id, live: true, still: null, fault: null });
  const boxes = [box('school-1-gate', { cameras: [known('gate')] }), box('other', { cameras: [known('secret')] })];
  const live = ['box/school-1-gate/cam/yard/5', 'box/other/cam/secret/5'].map((path) => take(path)!);
  const filmed = { take: 'x', box: 'school-1-gate', camera: 'old', began: 0, from: 0, to: 1, gaps: [], ended: true, removed: false };

  test('those that are known, live or recorded, of its own boxes and no other', () => {
    const shown = shownCameras(incident(1, { takes: [filmed] }), boxes, live);
    expect(shown.map((one) => [one.camera, one.live?.began ?? null, one.known !== null])).toEqual([
      ['gate', null, true], ['old', null, false], ['yard', 5, false],
    ]);
    expect([cameraName(shown[0]!, true), cameraName(shown[0]!, false)]).toEqual(['school-1-gate · gate', 'gate']);
  });

  test('on the wall each camera once', () => {
    const tiles = mosaic([incident(1), incident(2), incident(3, { boxes: ['other'] })], boxes, live);
    expect(tiles.map((tile) => [tile.incident.id, tile.camera.camera])).toEqual([[1, 'gate'], [1, 'yard'], [3, 'secret']]);
  });

  test('a relay is an appliance of the centre with such a name', () => {
    expect(hasRelay([box('relay', { site: null })])).toBe(true);
    expect(hasRelay([box('relay-2', { site: null })])).toBe(true);
    for (const no of [box('relay'), box('relays', { site: null }), box('relay', { site: null, enrolment: 'waiting' })]) {
      expect(hasRelay([no])).toBe(false);
    }
  });
});
