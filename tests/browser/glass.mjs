// How old a picture is when a browser shows it. Usage: node glass.mjs janus WEBSOCKET-URL SECONDS
//                                                  or: node glass.mjs onepress CONSOLE-URL USER PASSWORD SEAT SECONDS
// One JSON line for each picture that was shown: {"number": N, "at": unix milliseconds}. The numbers are those of
// ../peers/camera/serve.py; who played the camera knows when each left it. The first line tells when the page was asked
// to show the camera: {"asked": unix milliseconds}.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { watchPictures } from './picture.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];

/** In the page: WebRTC with Janus's streaming plugin (https://janus.conf.meetecho.com/docs/streaming). */
async function watchJanus(url) {
  const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, id: 'picture' });
  document.body.append(video);
  const socket = new WebSocket(url, 'janus-protocol');
  await new Promise((open, fail) => Object.assign(socket, { onopen: open, onerror: fail }));
  const waiting = new Map();
  let [session, handle, next] = [undefined, undefined, 1];
  const ask = (message) => new Promise((answer) => {
    const transaction = String(next++);
    waiting.set(transaction, answer);
    socket.send(JSON.stringify({ ...message, transaction, session_id: session, handle_id: handle }));
  });
  const peer = new RTCPeerConnection();
  peer.ontrack = (event) => { video.srcObject = event.streams[0]; };
  peer.onicecandidate = ({ candidate }) => ask({ janus: 'trickle', candidate: candidate ?? { completed: true } });
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    waiting.get(message.transaction)?.(message);
    if (message.jsep?.type !== 'offer') return;
    await peer.setRemoteDescription(message.jsep);
    await peer.setLocalDescription(await peer.createAnswer());
    ask({ janus: 'message', body: { request: 'start' }, jsep: peer.localDescription });
  };
  session = (await ask({ janus: 'create' })).data.id;
  handle = (await ask({ janus: 'attach', plugin: 'janus.plugin.streaming' })).data.id;
  ask({ janus: 'message', body: { request: 'watch', id: 1 } });
}

/** Signs in and answers the one incident that rings; the picture is asked for with that. */
async function openConsole(page, url, user, password, seat) {
  await page.goto(url);
  await page.locator('input[name=user]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.locator('input[name=seat]').fill(seat);
  await page.locator('button[type=submit]').click();
  await page.locator('[data-test=queue-row]').first().waitFor();
  await page.evaluate(watchPictures, ['[data-test=large] canvas', 'tell']);
  console.log(JSON.stringify({ asked: Date.now() }));
  await page.keyboard.press('Enter');
}

const [who, url, ...rest] = process.argv.slice(2);
const seconds = Number(rest.at(-1));
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
try {
  const page = await browser.newPage();
  await page.exposeFunction('tell', (seen) => console.log(JSON.stringify(seen)));
  if (who === 'janus') {
    // A page from loopback may talk to loopback; about:blank may not.
    const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<body>')).listen(0, '127.0.0.1');
    server.unref();
    await new Promise((listening) => server.on('listening', listening));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    console.log(JSON.stringify({ asked: Date.now() }));
    await page.evaluate(watchJanus, url);
    await page.evaluate(watchPictures, ['video', 'tell']);
  } else {
    await openConsole(page, url, ...rest.slice(0, 3));
  }
  await page.waitForTimeout(seconds * 1000);
} finally {
  await browser.close();
}
process.exit();
