// A seat whose network goes away and comes back, while its call-taker looks at a picture. See seat.mjs.

import { open, play, ready } from './seat.mjs';

await play(async (browser) => {
  const { page, numbers, part, until } = await open(browser);
  await ready('press the gate button');
  await part('queue-row').first().waitFor();
  await page.keyboard.press('Enter');
  await until('the picture is live', () => numbers.live.length > 20);
  await ready('pull the cable');
  // Long enough that nothing of it is a picture on its way.
  await page.waitForTimeout(4_000);
  const frozen = numbers.live.length;
  await page.waitForTimeout(2_000);
  if (numbers.live.length > frozen) throw new Error('pictures pass a cable that is pulled');
  await ready('plug it in');
  const begun = Date.now();
  await until('the picture goes on', () => numbers.live.length > frozen + 10);
  console.log(`told: pictures again ${Date.now() - begun} ms after the cable was back`);
  await until('the seat is still the host', async () => (await part('talk').count()) === 1);
});
