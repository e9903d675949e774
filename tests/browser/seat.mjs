// What the stories of a seat in Chromium share. A story says what it is ready for ("ready: press") and waits for a line in
// return. Environment: ONEPRESS_URL, ONEPRESS_USER, ONEPRESS_PASSWORD, ONEPRESS_ARTEFACTS.

import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { watchPictures } from './picture.mjs';

const { ONEPRESS_URL: url, ONEPRESS_USER: user, ONEPRESS_PASSWORD: password, ONEPRESS_ARTEFACTS: folder } = process.env;
export { folder };
export const LIMIT = 60_000;
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function ready(step) {
  console.log(`ready: ${step}`);
  await lines.next();
}

export function expect(what, truth) {
  if (!truth) throw new Error(`expected: ${what}`);
  console.log(`seen: ${what}`);
}

/** A page with its own profile; `numbers` grows with every picture that is shown large. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1366, height: 768 }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  const numbers = { live: [], recorded: [] };
  page.on('pageerror', (error) => console.log(`page error: ${error}`));
  await page.exposeFunction('tellLive', ({ number }) => numbers.live.push(number));
  await page.exposeFunction('tellRecorded', ({ number }) => numbers.recorded.push(number));
  await page.goto(url);
  await page.locator('input[name=user]').fill(options.user ?? user);
  await page.locator('input[name=password]').fill(password);
  await page.locator('input[name=seat]').fill(options.seat ?? 'seat-1');
  await page.locator('button[type=submit]').click();
  await page.locator('[data-test=queue]').waitFor();
  await page.evaluate(watchPictures, ['[data-test=large] canvas', 'tellLive']);
  await page.evaluate(watchPictures, ['[data-test=recording]', 'tellRecorded']);
  const part = (name) => page.locator(`[data-test="${name}"]`);
  const until = async (what, look) => {
    const end = Date.now() + LIMIT;
    while (Date.now() < end) {
      if (await look()) return expect(what, true);
      await page.waitForTimeout(50);
    }
    await page.screenshot({ path: `${folder}/failed.png` });
    expect(what, false);
  };
  const both = async (name) => {
    const change = () => page.evaluate(() => document.querySelector('[data-test=language]').click());
    await page.screenshot({ path: `${folder}/${name}-zh.png` });
    await change();
    await page.waitForTimeout(150);
    await page.screenshot({ path: `${folder}/${name}-en.png` });
    await change();
  };
  return { context, page, numbers, part, until, both };
}

/** Plays a story and ends with the process's exit code. */
export async function play(story) {
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  try {
    await story(browser);
    console.log('done');
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await browser.close();
    process.exit();
  }
}
