import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { en } from '../src/lib/i18n/en';
import { zh } from '../src/lib/i18n/zh';

const sources = files('src').filter((file) => !file.includes('i18n')).map((file) => readFileSync(file, 'utf8')).join('\n');
/** Groups whose keys are made of a word of the desk. */
const GROUPS = new Set(
  [...sources.matchAll(/word\('([a-z-]+)'/g), ...sources.matchAll(/\b([a-z]+): '\1'/g)].map((match) => match[1]),
);

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : /\.(ts|svelte)$/.test(entry.name) ? [join(folder, entry.name)] : [],
  );
}

function rust(file: string): string {
  return readFileSync(join('..', '..', file), 'utf8');
}

test('both languages have the same texts, with the same places to fill', () => {
  expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(zh) as (keyof typeof zh)[]) expect(places(en[key]), key).toEqual(places(zh[key]));
});

test('no text is unused', () => {
  const used = (key: string) => sources.includes(`'${key}'`) || sources.includes(`"${key}"`);
  const made = (key: string) => [...GROUPS].some((group) => key.startsWith(`${group}.`));
  const templated = (key: string) => sources.includes('`' + key.replace(/[^.]*$/, '') + '${');
  expect(Object.keys(zh).filter((key) => !used(key) && !made(key) && !templated(key))).toEqual([]);
});

test('every word with which the desk refuses has a text', () => {
  const folder = join('..', 'src', 'http');
  const said = files_rs(folder).flatMap((text) => [
    ...text.matchAll(/S::[A-Z_]+, "([a-z-]+)"/g), ...text.matchAll(/StatusCode::(?!OK)[A-Z_]+, "([a-z-]+)"/g),
  ]).map((match) => match[1]);
  expect(said.length).toBeGreaterThan(15);
  expect([...new Set(said)].filter((word) => !(`refusal.${word}` in zh))).toEqual([]);
});

function files_rs(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.rs')).map((name) => readFileSync(join(folder, name), 'utf8'));
}

test('every fault, and every cause for which an update fails, has a text', () => {
  const enums: [string, string, string, number][] = [
    ['fault', 'alarm/src/notice.rs', 'pub enum Fault {', 15],
    ['cause', 'alarm/src/rollout.rs', 'pub enum Cause {', 10],
  ];
  for (const [group, file, head, least] of enums) {
    const source = rust(file);
    const begin = source.indexOf(head);
    const body = source.slice(begin, source.indexOf('\n}', begin));
    const words = [...body.matchAll(/^ {4}([A-Z]\w+),$/gm)].map((match) => kebab(match[1] ?? ''));
    expect(words.length, group).toBeGreaterThan(least);
    expect(words.filter((word) => !(`${group}.${word}` in zh)), group).toEqual([]);
  }
});

function kebab(name: string): string {
  return name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

test('the shapes are those of the desk', () => {
  const view = ['view.rs', join('view', 'media.rs'), join('view', 'fleet.rs'), join('view', 'updates.rs')].map((file) => readFileSync(join('..', 'src', file), 'utf8')).join('\n');
  const types = readFileSync('src/lib/types.ts', 'utf8');
  for (const [, name, body] of view.matchAll(/pub struct (\w+) \{\n([\s\S]*?)\n\}/g)) {
    const shape = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(types)?.[1];
    if (shape === undefined) continue;
    const theirs = [...(body ?? '').matchAll(/pub (?:r#)?(\w+):/g)].map((match) => match[1]);
    const ours = [...shape.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1]);
    expect(ours, name).toEqual(theirs);
  }
});
