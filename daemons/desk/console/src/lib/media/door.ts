// Where the relay is and how this browser gets in. Pure.

import type { Pass } from '../types';

/** The address that the page came from. */
export interface Here {
  hostname: string;
}

export interface Door {
  /** For WebTransport. */
  url: string;
  /** For WebSocket. */
  webSocket: string;
  /** SHA-256 of the certificates that the relay may show. */
  hashes: Uint8Array<ArrayBuffer>[];
}

export function door(pass: Pass, here: Here): Door {
  const query = `?pass=${encodeURIComponent(pass.pass)}`;
  const at = `${host(pass, here)}:${pass.port}`;
  return {
    url: `https://${at}/${query}`,
    webSocket: `${pass.tls ? 'wss' : 'ws'}://${at}/${query}`,
    hashes: pass.certificates.map(bytes),
  };
}

/** A recording as one file that plays. */
export function recording(pass: Pass, here: Here, take: string): string {
  const path = take.split('/').map(encodeURIComponent).join('/');
  const scheme = pass.tls ? 'https' : 'http';
  return `${scheme}://${host(pass, here)}:${pass.port}/recordings/${path}.mp4?pass=${encodeURIComponent(pass.pass)}`;
}

function host(pass: Pass, here: Here): string {
  return pass.host === '' ? here.hostname : pass.host;
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/**
 * Every engine of Apple's stops a WebTransport session after some minutes of video (WebKit bug 319818), whatever the
 * browser on top of it is called; on iOS all browsers are that engine.
 */
export function mustUseWebSocket(userAgent: string, touchPoints = 0): boolean {
  const ios = /iPhone|iPad|iPod|CriOS|FxiOS|EdgiOS/.test(userAgent);
  // An iPad says that it is a Mac; no Mac has a touch screen.
  const ipad = /Macintosh/.test(userAgent) && touchPoints > 1;
  const webkit = /AppleWebKit/.test(userAgent) && !/Chrome|Chromium|Edg/.test(userAgent);
  return ios || ipad || webkit;
}

/** How long to wait before asking for a new pass: a minute before its end, at once when that is past. */
export function renewIn(until: number, now: number): number {
  return Math.max(0, until - now - 60_000);
}
