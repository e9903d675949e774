import { describe, expect, test } from 'vitest';
import { entries, condition } from '../src/lib/health';
import { facts, headline } from '../src/lib/line';
import { news } from '../src/lib/news';
import { ageing, groups, select, target, isRinging } from '../src/lib/queue';
import { reduce } from '../src/lib/reduce';
import { outcomes, stepState } from '../src/lib/rules';
import { seconds, span } from '../src/lib/time';
import { box, incident, state } from './made';

describe('what each event does to the state', () => {
  test('nothing counts before the whole state is there', () => {
    expect(reduce(null, { type: 'incident', data: incident(1) })).toBeNull();
  });

  test('incidents stand in the desk\'s order, and closed ones leave', () => {
    const drill = incident(1, { nature: 'drill', priority: 4 });
    let now = reduce(null, { type: 'state', data: state([drill, incident(3), incident(2)]) });
    expect(now?.incidents.map((one) => one.id)).toEqual([2, 3, 1]);
    now = reduce(now, { type: 'incident', data: incident(2, { step: 'closed' }) });
    expect(now?.incidents.map((one) => one.id)).toEqual([3, 1]);
    now = reduce(now, { type: 'incident', data: incident(3, { presses: 5 }) });
    expect(now?.incidents[0]?.presses).toBe(5);
  });

  test('a box is replaced in its place, and a new one is added', () => {
    let now = reduce(null, { type: 'state', data: state([], [box('a'), box('b')]) });
    now = reduce(now, { type: 'box', data: box('a', { waiting: 3 }) });
    now = reduce(now, { type: 'box', data: box('c') });
    expect(now?.boxes.map((one) => [one.id, one.waiting])).toEqual([['a', 3], ['b', 0], ['c', 0]]);
  });
});

describe('the queue', () => {
  test('ringing, offered to me, mine, others', () => {
    const all = [
      incident(1), incident(2, { step: 'answered', seat: 'me' }), incident(3, { step: 'answered', seat: 'you' }),
      incident(4, { step: 'answered', seat: 'you', offered_to: 'me' }),
    ];
    const { ringing, offered, mine, others } = groups(all, 'me');
    expect([ringing, offered, mine, others].map((part) => part.map((one) => one.id))).toEqual([[1], [4], [2], [3]]);
  });

  test('a key acts on what is shown when it fits, else on the top one', () => {
    const all = [incident(1), incident(2)];
    expect(target(all, 2, isRinging)?.id).toBe(2);
    expect(target(all, 9, isRinging)?.id).toBe(1);
    expect(target([incident(1, { step: 'arrived' })], 1, isRinging)).toBeUndefined();
  });

  test('a new alarm takes the screen of an idle seat and not of a busy one', () => {
    const mine = incident(1, { step: 'answered', seat: 'me' });
    expect(select(1, [mine, incident(2)], 'me', true)).toBe(1);
    expect(select(null, [incident(2)], 'me', true)).toBe(2);
  });

  test('ageing after 15, 20 and 60 seconds', () => {
    expect([0, 15, 20, 60].map(ageing)).toEqual(['fresh', 'ageing', 'late', 'overdue']);
  });
});

test('news are new rings, offers to me, and faults that were not there', () => {
  const before = state([incident(1), incident(2, { step: 'answered', seat: 'you' })], [box('a')]);
  const cut = { point: 'gate', path: null, camera: null, fault: 'wire-cut', since: 1 };
  const after = state(
    [incident(1), incident(2), incident(3, { step: 'answered', seat: 'you', offered_to: 'me' })],
    [box('a', { faults: [cut] })],
  );
  const { alarms, offers, faults } = news(before, after, 'me');
  expect([alarms.map((one) => one.id), offers.map((one) => one.id), faults]).toEqual([[2], [3], 1]);
  expect(news(null, after, 'me').faults).toBe(0);
});

test('steps behind, next and later; outcomes that fit', () => {
  expect(['verified', 'dispatched', 'arrived'].map((step) => stepState('verified', step as never)))
    .toEqual(['done', 'next', 'later']);
  expect(outcomes({ nature: 'test' })).toEqual(['test']);
  expect(outcomes({ nature: 'real' })).not.toContain('drill');
});

test('how a box is', () => {
  expect(condition(box('a'))).toBe('well');
  expect(condition(box('a', { waiting: 1 }))).toBe('reduced');
  expect(condition(box('a', { paths: [{ id: 'wired', up: false, since: null }] }))).toBe('lost');
  expect(condition(box('a', { enrolment: 'waiting' }))).toBe('waiting');
  const lost = box('z', { paths: [] });
  expect(entries(state([], [box('a'), lost])).map((entry) => entry.box.id)).toEqual(['z', 'a']);
});

test('a line of the journal for people', () => {
  const received = {
    event: 'received', from: 'b', path: 'wired', nature: 'real', incident: 1,
    notice: { id: 'x', point: 'gate', at: 1, 'clock-sure': false, what: { is: 'alarm', mode: 'silent', nature: 'real' } },
  };
  expect(headline(received)).toBe('alarm');
  expect(facts(received).map((fact) => fact.name)).toEqual(['path', 'point', 'clock-sure', 'mode']);
  const answered = { event: 'acknowledged', incident: 1, by: { seat: { user: 'li', seat: 'seat-1' } } };
  expect(facts(answered)).toEqual([{ name: 'by', value: 'li @ seat-1', group: null }]);
});

test('spans', () => {
  expect([7, 760, 11_109, 183_900].map(span)).toEqual(['0:07', '12:40', '3:05:09', '2d 03:05']);
  expect(seconds(5000, 1000)).toBe(0);
});
