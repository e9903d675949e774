// A still picture of what a screen shows, as a JPEG.

const QUALITY = 0.92;

export type Source = HTMLCanvasElement | HTMLVideoElement;

export async function still(from: Source): Promise<Blob> {
  const canvas = from instanceof HTMLCanvasElement ? from : drawn(from);
  const jpeg = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', QUALITY));
  if (jpeg === null) throw new Error('the picture cannot be written as JPEG');
  return jpeg;
}

function drawn(video: HTMLVideoElement): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return canvas;
}
