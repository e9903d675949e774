// A seat whose network goes away and comes back, while its call-taker looks at a picture. See seat.mjs.

import { open, play, ready } from './seat.mjs';

await play(async (browser) => {
  const { page, numbers, part, until } = await open(browser);
  await ready('press the gate button');
  await part('queue-row').first().waitFor();
  await page.keyboard.press('Enter');
  await until('the picture is live', () => numbers.live.length > 20);
  await ready('pull the cable');
  // What is on its way is still shown. A seat that is away for 20 s is lost.
  let frozen = -1;
  for (let second = 0; frozen !== numbers.live.length && second < 12; second++) {
    frozen = numbers.live.length;
    await page.waitForTimeout(1_000);
  }
  if (frozen !== numbers.live.length) throw new Error('pictures pass a cable that is pulled');
  await ready('plug it in');
  const begun = Date.now();
  await until('the picture goes on', () => numbers.live.length > frozen + 10);
  console.log(`told: pictures again ${Date.now() - begun} ms after the cable was back`);
  await until('the seat is still the host', async () => (await part('talk').count()) === 1);
});
