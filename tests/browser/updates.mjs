// A roll-out in Chromium: a bundle that is uploaded, its way to the boxes, two that fail, and what a person does then.
// Environment: ONEPRESS_BUNDLE (a file), and that of seat.mjs.

import { writeFileSync } from 'node:fs';
import { expect, folder, open, play, ready } from './seat.mjs';

const { ONEPRESS_BUNDLE: bundle } = process.env;

await play(async (browser) => {
  const { page, part, until, both } = await open(browser);
  await part('nav-updates').click();
  await part('updates').waitFor();
  await both('1-none');

  const wrong = `${folder}/wrong.bundle`;
  writeFileSync(wrong, 'no bundle at all');
  await part('bundle-file').setInputFiles(wrong);
  await part('bundle-refused').waitFor();
  expect('a wrong file is refused with its reason', /不是有效的升级包/.test(await part('bundle-refused').innerText()));
  const line = await page.context().newCDPSession(page);
  const carries = (uploadThroughput) =>
    line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
  await line.send('Network.enable');
  await carries(500_000);
  await part('bundle-file').setInputFiles(bundle);
  await until('the bar of the upload grows', async () => /：[1-9]\d?%/.test(await part('uploading').innerText()));
  await both('2-uploading');
  await carries(-1);
  await part('bundle').waitFor();
  await until('the refusal is gone', async () => (await part('bundle-refused').count()) === 0);
  await both('3-bundle');

  await part('begin-rollout').click();
  await page.locator('dialog[open] select[name=box]').waitFor();
  await both('4-begin');
  await page.locator('dialog[open] input[value=all]').check();
  await page.locator('dialog[open] button[type=submit]').click();
  await part('rollout').waitFor();
  await until('a bar grows', async () => {
    const values = await part('rollout').locator('progress').evaluateAll((bars) => bars.map((bar) => bar.value));
    return values.some((value) => value > 0);
  });
  await both('5-fetching');
  expect('no second one is begun', await part('begin-rollout').isDisabled());

  await ready('fail');
  await part('rollout-halted').waitFor();
  expect('the cause is told in Chinese', /可用空间不足/.test(await part('cause').first().innerText()));
  await both('6-halted');
  await part('rollout').locator('button.do').click();
  await until('it goes on', async () => /进行中/.test(await part('rollout-mood').innerText()));
  await ready('heal');
  await until('it has ended', async () => /已结束/.test(await part('rollout-mood').innerText()));
  await both('7-ended');
  await part('remove-bundle').click();
  await both('8-remove');
  await page.locator('dialog[open] button.danger').click();
  await until('the bundle is gone', async () => (await part('bundle').count()) === 0);

  const other = await open(browser, { user: 'gong', seat: 'seat-2' });
  await other.part('nav-sites').waitFor();
  expect('a technician sees no page of updates', (await other.part('nav-updates').count()) === 0);
});
