import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { en } from '../src/lib/i18n/en';
import { zh } from '../src/lib/i18n/zh';
import {
  badFile, badSound, FILE_LARGEST, LONGEST_S, message, MOST, NAME_LONGEST, nameOf, RATE, SHORTEST_S, span,
} from '../src/lib/media/loop';
import { isHeard, move, play, plays, publishes, renew, sounds, talk, type Message, type Voice } from '../src/lib/media/talk';
import { wav } from '../src/lib/media/wav';

const leave: Message = { sha256: 'aa', name: 'Leave', since: 5, until: 600_005 };

function host(): Voice {
  const now = talk({ mode: 'ordinary', publish: 'room/7/seat-me' });
  if (!now.can) throw new Error('the host of an ordinary incident may speak');
  return now;
}

describe('looped broadcast', () => {
  test('a silent incident has nothing that a message could be played by', () => {
    const silent = renew(play(host(), leave), { mode: 'silent', publish: null });
    expect([silent.can, 'message' in silent, plays(silent), publishes(silent)]).toEqual([false, false, false, false]);
    expect(sounds(silent)).toEqual({ voice: false, message: null });
    // @ts-expect-error: only a voice takes a message
    play(silent, leave);
  });

  test('a message sounds until it is stopped; a voice and a hold interrupt it', () => {
    const on = play(host(), leave);
    const table: [Voice, 'voice' | 'message' | null][] = [
      [host(), null],
      [on, 'message'],
      [move(on, 'press'), 'voice'],
      [move(move(on, 'press'), 'release'), 'message'],
      [move(on, 'latch'), 'voice'],
      [move(move(on, 'latch'), 'mute'), 'message'],
      [move(on, 'hold'), null],
      [move(move(on, 'hold'), 'resume'), 'message'],
      [play(on, null), null],
      [play(move(on, 'latch'), null), 'voice'],
    ];
    for (const [place, [now, what]] of table.entries()) {
      const { voice, message } = sounds(now);
      expect(voice ? 'voice' : message && 'message', String(place)).toBe(what);
      expect([isHeard(now), plays(now)], String(place)).toEqual([what === 'voice', what === 'message']);
    }
  });

  test('a new pass changes nothing that is going on, another message takes its place', () => {
    const on = play(host(), leave);
    expect(renew(on, { mode: 'ordinary', publish: 'room/7/seat-me' })).toBe(on);
    expect(play(on, { ...leave })).toBe(on);
    expect(sounds(play(on, { ...leave, sha256: 'bb', since: 9 })).message).toBe('bb');
    expect(plays(renew(on, { mode: 'ordinary', publish: null }))).toBe(false);
  });
});

describe('what may become a message', () => {
  const tone = (seconds: number, loud = 0.5) => Float32Array.from({ length: seconds * 1000 }, (_, n) => loud * Math.sin(n));

  test('too long, too short, silent, too large, empty', () => {
    expect(badSound(tone(60), 1000)).toBeNull();
    expect(badSound(tone(60.002), 1000)).toBe('sound-too-long');
    expect(badSound(tone(0.4), 1000)).toBe('sound-too-short');
    expect(badSound(tone(1, 0.005), 1000)).toBe('sound-silent');
    expect(badSound(new Float32Array(1000), 1000)).toBe('sound-silent');
    expect([badFile(FILE_LARGEST), badFile(FILE_LARGEST + 1), badFile(0)]).toEqual([null, 'file-too-large', 'not-a-sound']);
    expect(message(new Float32Array(5), 1000)).toEqual({ bad: 'sound-too-short' });
    for (const bad of ['file-too-large', 'not-a-sound', 'sound-too-long', 'sound-too-short', 'sound-silent']) {
      expect(`refusal.${bad}` in zh && `refusal.${bad}` in en, bad).toBe(true);
    }
  });

  test('the file is what the desk reads: RIFF, PCM, one channel, 16 bit', () => {
    const view = new DataView(wav(Float32Array.from([0, 1, -1, 2, 0.5]), RATE));
    const text = (at: number) => String.fromCharCode(...[0, 1, 2, 3].map((n) => view.getUint8(at + n)));
    expect([text(0), text(8), text(12), text(36)]).toEqual(['RIFF', 'WAVE', 'fmt ', 'data']);
    expect([view.getUint32(4, true), view.getUint32(40, true), view.byteLength]).toEqual([46, 10, 54]);
    expect([view.getUint16(20, true), view.getUint16(22, true), view.getUint32(24, true), view.getUint16(34, true)]).toEqual([1, 1, RATE, 16]);
    expect([0, 1, 2, 3, 4].map((n) => view.getInt16(44 + 2 * n, true))).toEqual([0, 32_767, -32_767, 32_767, 16_384]);
  });

  test('the limits are the desk\'s', () => {
    const rust = readFileSync('../../alarm/src/announcement.rs', 'utf8');
    const found = (pattern: RegExp) => Number(pattern.exec(rust)?.[1]);
    expect(found(/ANNOUNCEMENTS_MAX: usize = (\d+)/)).toBe(MOST);
    expect(found(/NAME_MAX: usize = (\d+)/)).toBe(NAME_LONGEST);
    expect(found(/LONGEST: Duration = Duration::from_secs\((\d+)\)/)).toBe(LONGEST_S);
    expect(found(/SHORTEST: Duration = Duration::from_millis\((\d+)\)/)).toBe(SHORTEST_S * 1000);
    const ends = [...rust.slice(rust.indexOf('enum LoopEnd')).matchAll(/^ {4}([A-Z]\w+),$/gm)].map((one) => one[1]!.toLowerCase());
    expect(ends.length).toBeGreaterThan(5);
    expect(ends.filter((end) => !(`why.${end}` in zh))).toEqual([]);
  });

  test('names and times for people', () => {
    expect(nameOf('疏散 east.v2.wav')).toBe('疏散 east.v2');
    expect([...nameOf(`${'字'.repeat(50)}.ogg`)].length).toBe(NAME_LONGEST);
    expect([span(65_400), span(0), span(-5), span(600_000)]).toEqual(['1:06', '0:00', '0:00', '10:00']);
  });
});
