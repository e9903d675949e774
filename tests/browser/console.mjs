// The console in Chromium, against a desk that a test owns. Tells the test what it is ready for ("ready: press") and
// waits for a line in return. Environment: ONEPRESS_URL, ONEPRESS_CODE (one-time set-up code), ONEPRESS_ARTEFACTS
// (folder for screenshots).

import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const { ONEPRESS_URL: url, ONEPRESS_CODE: code, ONEPRESS_ARTEFACTS: folder = 'artefacts' } = process.env;
const PASSWORD = 'correct-horse-110';
const LIMIT = 30_000;
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Says that the test may do `step` now, and waits until it has. */
async function ready(step) {
  console.log(`ready: ${step}`);
  await lines.next();
}

function expect(what, truth) {
  if (!truth) throw new Error(`expected: ${what}`);
  console.log(`seen: ${what}`);
}

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
const context = await browser.newContext({
  viewport: { width: 1366, height: 768 }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai',
});
const page = await context.newPage();
page.setDefaultTimeout(LIMIT);
const troubles = [];
page.on('pageerror', (error) => troubles.push(String(error)));
page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));

const part = (name) => page.locator(`[data-test="${name}"]`);
const shoot = (name) => page.screenshot({ path: `${folder}/${name}.png` });
const heard = () => page.evaluate(() => ({ kind: __onepress.toneKind, audio: __onepress.audioState, peak: __onepress.peak() }));
/** A picture in each language; dialogs cover the switch, so it is clicked from within. */
async function both(name) {
  const change = () => page.evaluate(() => document.querySelector('[data-test=language]').click());
  await shoot(`${name}-zh`);
  await change();
  await page.waitForTimeout(100);
  await shoot(`${name}-en`);
  await change();
}

async function until(what, look) {
  const end = Date.now() + LIMIT;
  while (Date.now() < end) {
    if (await look()) return expect(what, true);
    await page.waitForTimeout(50);
  }
  expect(what, false);
}

async function submit() {
  await page.locator('dialog[open] button[type=submit]').click();
}

async function firstAccount() {
  await page.goto(url);
  await page.locator('input[name=code]').fill(code);
  await page.locator('input[name=user]').fill('zhang');
  await page.locator('input[name=name]').fill('张警官');
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await both('1-setup');
  await page.keyboard.press('Enter');
  await page.locator('input[name=seat]').waitFor();
}

async function signIn() {
  await page.locator('input[name=user]').fill('zhang');
  await page.locator('input[name=password]').fill('wrong-password');
  await page.locator('input[name=seat]').fill('seat-1');
  await page.keyboard.press('Enter');
  await page.locator('.refused').waitFor();
  await both('2-sign-in-refused');
  await page.locator('input[name=password]').fill(PASSWORD);
  await page.locator('button[type=submit]').click();
  await part('queue').waitFor();
  await both('3-quiet');
}

async function alarm() {
  await ready('press');
  await part('queue-row').first().waitFor();
  await until('the hold-up tone sounds, measured', async () => {
    const { kind, audio, peak } = await heard();
    return kind === 'hold-up' && audio === 'running' && peak > 0.2;
  });
  expect('the title counts the alarm', /1/.test(await page.title()));
  await both('4-ringing');
}

async function answer() {
  await page.keyboard.press('Enter');
  await part('steps').waitFor();
  await until('the tone has stopped', async () => (await heard()).kind !== 'hold-up' && (await heard()).peak < 0.01);
  await both('5-answered');
  for (const step of ['verified', 'dispatched', 'en-route', 'arrived']) {
    await part(`step-${step}`).locator('button').click();
    await until(`step ${step} is done`, async () => (await part(`step-${step}`).locator('button').count()) === 0);
  }
}

async function close() {
  await part('close').click();
  await page.locator('dialog[open] input[value=handled]').check();
  await page.locator('dialog[open] textarea').fill('民警到场,情况已处置。');
  await both('6-close');
  await submit();
  await until('the queue is empty', async () => (await part('queue-row').count()) === 0);
}

async function fault() {
  await ready('cut');
  await until('the cut wire is shown', async () => /线路断开/.test(await part('health').innerText()));
  await both('7-fault');
  await ready('mend');
  await until('the mended wire is no longer shown', async () => !/线路断开/.test(await part('health').innerText()));
}

async function register() {
  await part('nav-sites').click();
  await part('add-site').click();
  await page.locator('dialog[open] input[name=id]').fill('school-9');
  await page.locator('dialog[open] input[name=name]').fill('<b>第九中学</b>');
  await both('8-site-form');
  await submit();
  await part('site-school-9').click();
  expect('a name is text and never markup', (await page.locator('main b', { hasText: '第九中学' }).count()) === 0);
  await part('add-box').click();
  await page.locator('dialog[open] input[name=id]').fill('school-9-gate');
  await submit();
  await part('ticket').waitFor();
  const qr = await part('ticket').locator('img').first().evaluate((picture) => picture.naturalWidth);
  expect('the ticket has a QR code that is drawn', qr > 100);
  await both('9-ticket');
  const [file] = await Promise.all([page.waitForEvent('download'), part('save-ticket').click()]);
  expect('the ticket is saved under the box\'s name', file.suggestedFilename() === 'school-9-gate.ticket');
  await page.keyboard.press('Escape');
  await both('10-sites');
}

async function others() {
  await part('nav-closed').click();
  await page.locator('table button').first().waitFor();
  await both('11-closed');
  await part('nav-accounts').click();
  await part('add-account').waitFor();
  await both('12-accounts');
  await part('nav-seat').click();
}

async function lost() {
  await ready('stop the desk');
  await part('offline').waitFor();
  await both('13-desk-lost');
  await ready('start the desk');
  await until('the console comes back by itself, signed in', async () => (await part('offline').count()) === 0);
}

/** What the browser logs for answers that this story provokes: no session yet, a wrong password, a stopped desk. */
const PROVOKED = /status of 40[13]|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/;

try {
  for (const chapter of [firstAccount, signIn, alarm, answer, close, fault, register, others, lost]) await chapter();
  const unexpected = troubles.filter((trouble) => !PROVOKED.test(trouble));
  expect(`no error in the page: ${unexpected.join('; ')}`, unexpected.length === 0);
  console.log('done');
} catch (error) {
  await shoot('failed');
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.exit();
}
