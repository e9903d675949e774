// Makes a message of a file that somebody chose: decodes, mixes down and resamples it with what the browser has.

import { badFile, message, RATE, type Bad } from './loop';

export async function prepare(file: Blob): Promise<{ file: Blob } | { bad: Bad }> {
  const bad = badFile(file.size);
  if (bad !== null) return { bad };
  let decoded: AudioBuffer;
  try {
    decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  } catch {
    return { bad: 'not-a-sound' };
  }
  const down = new OfflineAudioContext(1, decoded.length, decoded.sampleRate);
  const source = new AudioBufferSourceNode(down, { buffer: decoded });
  source.connect(down.destination);
  source.start();
  return message((await down.startRendering()).getChannelData(0), decoded.sampleRate);
}
