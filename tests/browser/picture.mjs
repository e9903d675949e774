// In the page: reads the number that each picture of the played cameras carries (see ../peers/camera/serve.py) and tells
// every new one: {"number": N, "at": unix milliseconds}. `selector` finds a canvas or a video.
export function watchPictures([selector, tell]) {
  const [BITS, WIDE, HIGH] = [16, 20, 32];
  const copy = new OffscreenCanvas(320, 2 * HIGH);
  const pen = copy.getContext('2d', { willReadFrequently: true });
  let last = null;
  const look = () => {
    const picture = document.querySelector(selector);
    const [w, h] = picture ? [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height] : [0, 0];
    if (w > 0 && h > 0) {
      pen.drawImage(picture, 0, 0, w, (h * 2 * HIGH) / 240, 0, 0, 320, 2 * HIGH);
      const luma = pen.getImageData(0, 0, 320, 2 * HIGH).data;
      const row = (y) => {
        let bits = 0;
        for (let bit = 0; bit < BITS; bit++) bits = bits * 2 + (luma[4 * (y * 320 + bit * WIDE + WIDE / 2) + 1] > 128 ? 1 : 0);
        return bits;
      };
      const number = row(HIGH / 2);
      if ((row(HIGH + HIGH / 2) ^ 0xffff) === number && number !== last) {
        last = number;
        window[tell]({ number, at: Date.now() });
      }
    }
    requestAnimationFrame(look);
  };
  look();
}
