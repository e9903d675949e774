// Cameras in the console, in Chromium, against a centre that a test owns. See seat.mjs; ONEPRESS_MESSAGE is a WAV file.

import { expect, open, play, ready } from './seat.mjs';

const { ONEPRESS_MESSAGE: message } = process.env;
const SAFARI = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

/** Numbers that follow each other, but for pictures that a busy browser did not show. */
const forward = (numbers) => numbers.every((number, place) => place === 0 || number > numbers[place - 1]);

async function ordinary(seat) {
  const { page, numbers, part, until, both } = seat;
  await ready('press the gate button');
  await part('queue-row').first().waitFor();
  const asked = Date.now();
  await page.keyboard.press('Enter');
  await until('the camera is live in the large picture', () => numbers.live.length > 0);
  console.log(`told: first picture ${Date.now() - asked} ms after the answer`);
  await until('it moves', () => numbers.live.length > 20);
  expect(`pictures come in their order: ${numbers.live.slice(-5)}`, forward(numbers.live.slice(-15)));
  await part('large').hover();
  await until('the transport is shown', async () => /WebTransport/.test(await part('figures').innerText()));
  console.log(`told: ${(await part('figures').innerText()).replaceAll('\n', ', ')}`);
  await both('14-live');
  await until('the other camera is there too', async () => (await page.locator('[data-test^=tile-]').count()) >= 1);
  await ready('let some time pass');
  await part('replay').click();
  await until('the recording shows pictures', () => numbers.recorded.length > 3);
  const [oldest, newest] = [numbers.recorded[0], numbers.live.at(-1)];
  expect(`the recording begins half a minute before the press: ${oldest} is ${newest - oldest} pictures ago`, newest - oldest > 30 * 15);
  const before = numbers.live.length;
  await until('live goes on meanwhile', () => numbers.live.length > before + 5);
  await both('15-recording');
  await part('back-to-live').click();
  await part('snapshot').click();
  await until('the snapshot stands in the incident', async () => /截图/.test(await part('journal').innerText()));
}

async function talk({ page, part, until, both }) {
  await part('talk-latch').click();
  await until('the site hears the seat', async () => /latched|open|talking/.test(await part('talk').getAttribute('data-state')));
  await both('16-talk');
  await ready('listen at the site');
  await part('talk-hold').click();
  await until('on hold nobody hears anything', async () => (await part('talk').getAttribute('data-state')) === 'held');
  await both('17-hold');
  await part('talk-resume').click();
  await page.waitForTimeout(300);
}

/** The pictures are (back) on the screen. */
async function pictures({ page, until }, after) {
  const asked = Date.now();
  await until(`pictures ${after}`, async () => (await page.locator('[data-test=live][data-playing=false]').count()) === 0);
  console.log(`told: pictures ${Date.now() - asked} ms ${after}`);
}

/** A recorded message: added, played again and again, interrupted, gone on with, stopped. */
async function loop(seat) {
  const { page, part, until, both } = seat;
  await part('nav-announcements').click();
  await part('add-announcement').click();
  await part('announcement-file').setInputFiles({ name: 'not a sound.wav', mimeType: 'audio/wav', buffer: Buffer.from('RIFF of nothing') });
  await part('announcement-bad').waitFor();
  expect('a file that is no sound is refused', /无法识别/.test(await part('announcement-bad').innerText()));
  await part('announcement-file').setInputFiles(message);
  await page.locator('dialog audio').waitFor();
  await page.locator('dialog input[name=name]').fill('请沿绿色标志有序撤离');
  await both('20-new-announcement');
  await page.locator('dialog button[type=submit]').click();
  await part('announcement').waitFor();
  await both('21-announcements');
  await part('nav-seat').click();
  await pictures(seat, 'after the announcements');
  const state = () => part('loop').getAttribute('data-state');
  await part('loop').locator('button').click();
  await until('the message is played', async () => (await state()) === 'playing');
  await both('22-loop');
  await ready('listen to the loop');
  await part('nav-sites').click();
  await part('on-air').waitFor();
  await both('23-on-air');
  await part('nav-seat').click();
  await pictures(seat, 'after a look at another page');
  await part('talk-latch').click();
  await until('talking interrupts it', async () => (await state()) === 'interrupted');
  await both('24-interrupted');
  await ready('hear that the loop has ended');
  await part('talk-mute').click();
  await until('and then it goes on', async () => (await state()) === 'playing');
  await ready('listen to the loop');
  await part('loop-stop').click();
  await until('it is stopped', async () => (await state()) === 'still');
  await ready('hear that the loop has ended');
  await until('its end stands in the history', async () => /循环广播结束/.test(await part('journal').innerText()));
  await part('loop').locator('button').click();
  await until('it is played once more, until the incident turns silent', async () => (await state()) === 'playing');
}

/** A silent press that joins an ordinary incident makes it silent. */
async function silent(seat) {
  const { part, both } = seat;
  expect('the seat may speak', (await part('talk-latch').count()) === 1);
  await ready('press the office button');
  await part('talk-silent').waitFor();
  expect('there is no way to speak any more', (await part('talk').count()) === 0 && (await part('talk-press').count()) === 0);
  expect('nor to play', (await part('loop').count()) === 0);
  await pictures(seat, 'after the incident has turned silent');
  await both('18-silent');
  await ready('hear that the loop has ended');
}

async function mosaic({ page, part, both }) {
  await part('nav-mosaic').click();
  await part('mosaic').waitFor();
  await page.waitForTimeout(2_000);
  await both('19-mosaic');
  await part('nav-seat').click();
}

async function onAPhone(browser) {
  const phone = await open(browser, { userAgent: SAFARI, seat: 'seat-2' });
  await phone.part('queue-row').first().click();
  await phone.until('an iPhone has pictures too', () => phone.numbers.live.length > 10);
  await phone.part('large').hover();
  await phone.until('over WebSocket', async () => /WebSocket/.test(await phone.part('figures').innerText()));
  await phone.context.close();
}

await play(async (browser) => {
  const seat = await open(browser);
  await ordinary(seat);
  await talk(seat);
  await onAPhone(browser);
  await mosaic(seat);
  await loop(seat);
  await silent(seat);
});
