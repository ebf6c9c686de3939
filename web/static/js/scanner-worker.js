/**
 * Reads codes out of camera frames, away from the page's thread. Frames go through (scale, tilt) in turn, because a
 * plain frame misses every Code128 that is tilted by 13° and more.
 *
 * in:  {id, bitmap: ImageBitmap} or {id, pixels: ImageData, all?: true}      out: {id, codes: [{text, format, x, y}], ms}
 */
const CYCLE = [[1, 0], [0.66, 0], [0.66, 15], [0.66, -15]];
const OPTIONS = {
  formats: ["Code128", "QRCode", "DataMatrix", "Code39", "EAN13", "ITF"],
  tryHarder: true, tryRotate: true, tryInvert: false, tryDownscale: false, maxNumberOfSymbols: 8, minLineCount: 2,
};
let turn = 0;
let reader = null;
let canvas = null;

/** Chrome 86 to 92 lack it, and the reader asks for it. */
if (!Object.hasOwn) Object.hasOwn = (object, key) => Object.prototype.hasOwnProperty.call(object, key);

function load() {
  if (!reader) {
    reader = import("../vendor/zxing/reader/index.js").then(async (module) => {
      const wasm = new URL("../vendor/zxing/zxing_reader.wasm", self.location.href).href;
      await module.prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
      return module;
    });
    reader.catch(() => { reader = null; });
  }
  return reader;
}

/** The frame at one scale and tilt, as pixels. */
function turned(bitmap, scale, tilt) {
  const width = Math.round(bitmap.width * scale);
  const height = Math.round(bitmap.height * scale);
  if (!canvas) canvas = new OffscreenCanvas(width, height);
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.translate(width / 2, height / 2);
  pen.rotate((tilt * Math.PI) / 180);
  pen.drawImage(bitmap, -width / 2, -height / 2, width, height);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  return pen.getImageData(0, 0, width, height);
}

function describe(found, pixels) {
  const { topLeft, bottomRight } = found.position;
  return {
    text: found.text,
    format: found.format,
    x: (topLeft.x + bottomRight.x) / 2 / pixels.width - 0.5,
    y: (topLeft.y + bottomRight.y) / 2 / pixels.height - 0.5,
  };
}

async function read(pixels, options = OPTIONS) {
  const { readBarcodes } = await load();
  const found = await readBarcodes(pixels, options);
  return found.filter((one) => one.isValid !== false && one.text).map((one) => describe(one, pixels));
}

async function frame({ bitmap, pixels, all }) {
  if (pixels) return read(pixels, { ...OPTIONS, tryDownscale: true });
  const passes = all ? CYCLE : [CYCLE[turn++ % CYCLE.length]];
  try {
    for (const [scale, tilt] of passes) {
      const codes = await read(turned(bitmap, scale, tilt), all ? { ...OPTIONS, tryDownscale: true } : OPTIONS);
      if (codes.length) return codes;
    }
    return [];
  } finally {
    bitmap.close();
  }
}

self.onmessage = async ({ data }) => {
  const started = performance.now();
  try {
    if (data.warm) await load();
    const codes = data.warm ? [] : await frame(data);
    self.postMessage({ id: data.id, codes, ms: performance.now() - started });
  } catch (error) {
    self.postMessage({ id: data.id, codes: [], error: String(error), ms: performance.now() - started });
  }
};
