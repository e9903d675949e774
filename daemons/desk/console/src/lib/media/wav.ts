// A WAV file of one channel with 16 bits (RIFF/WAVE, PCM). Pure.

const HEADER = 44;

export function wav(samples: Float32Array, rate: number): ArrayBuffer {
  const bytes = samples.length * 2;
  const file = new ArrayBuffer(HEADER + bytes);
  const view = new DataView(file);
  const text = (at: number, word: string) => [...word].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, HEADER - 8 + bytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
  samples.forEach((sample, n) => view.setInt16(HEADER + 2 * n, Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), true));
  return file;
}
