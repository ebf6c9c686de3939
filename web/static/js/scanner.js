/**
 * The camera as a scanner: new Scanner(video, {onCode}).start(). A label that stays in view is reported once; it is
 * reported again when it comes back after it was gone. Works on https and localhost only (browsers' rule).
 *
 * Problems are thrown as CameraError with code: insecure, none, denied, busy, failed.
 */
const AWAY_MS = 1600;
const IDLE_MS = 60;
const STALL_MS = 8000;

export class CameraError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const REASONS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "busy", AbortError: "busy" };

export class Scanner {
  /** options: onCode(text, {format, x, y}); onFrame(ms) after each frame read, for measuring. */
  constructor(video, { onCode, onFrame = null } = {}) {
    this.video = video;
    this.onCode = onCode;
    this.onFrame = onFrame;
    this.stream = null;
    this.worker = null;
    this.pending = new Map();
    this.lastId = 0;
    this.seen = new Map();
    this.running = false;
    this.canvas = null;
  }

  /** Load the reader before the first scan needs it. */
  warm() {
    return this._ask({ warm: true }).catch(() => undefined);
  }

  async start() {
    if (this.running) return;
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) throw new CameraError(window.isSecureContext ? "none" : "insecure");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.stop();
      throw new CameraError(REASONS[error.name] || "failed");
    }
    this._focus();
    this.running = true;
    this._loop();
  }

  stop() {
    this.running = false;
    if (this.stream) for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.seen.clear();
  }

  /** Stop and give back the worker's memory. */
  dispose() {
    this.stop();
    if (this.worker) this.worker.terminate();
    this.worker = null;
    this.pending.clear();
  }

  get track() {
    return this.stream ? this.stream.getVideoTracks()[0] : null;
  }

  /** {torch: bool, zoom: {min, max, step} or null}: what this camera can do. */
  get abilities() {
    const found = this.track && this.track.getCapabilities ? this.track.getCapabilities() : {};
    const zoom = found.zoom && found.zoom.max > found.zoom.min ? found.zoom : null;
    return { torch: Boolean(found.torch), zoom };
  }

  setTorch(on) {
    return this._apply({ torch: on });
  }

  setZoom(value) {
    return this._apply({ zoom: value });
  }

  /** Every code in a photo, through the whole cycle. */
  async readFile(file) {
    const bitmap = await createImageBitmap(file);
    const answer = typeof OffscreenCanvas === "undefined"
      ? await this._ask({ pixels: this._pixels(bitmap, bitmap.width, bitmap.height) })
      : await this._ask({ bitmap, all: true }, [bitmap]);
    return answer.codes;
  }

  _focus() {
    this._apply({ focusMode: "continuous" }).catch(() => undefined);
  }

  _apply(constraint) {
    return this.track ? this.track.applyConstraints({ advanced: [constraint] }) : Promise.resolve();
  }

  async _loop() {
    while (this.running) {
      if (this.video.readyState >= 2 && !document.hidden) {
        const answer = await this._frame().catch(() => null);
        if (!this.running) return;
        if (answer) this._report(answer);
      }
      await new Promise((done) => setTimeout(done, IDLE_MS));
    }
  }

  async _frame() {
    if (typeof OffscreenCanvas === "undefined") {
      return this._ask({ pixels: this._pixels(this.video, this.video.videoWidth, this.video.videoHeight) });
    }
    const bitmap = await createImageBitmap(this.video);
    return this._ask({ bitmap }, [bitmap]);
  }

  _pixels(source, width, height) {
    if (!this.canvas) this.canvas = document.createElement("canvas");
    const scale = Math.min(1, 1600 / width);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.drawImage(source, 0, 0, this.canvas.width, this.canvas.height);
    return pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  _report(answer) {
    if (this.onFrame) this.onFrame(answer.ms);
    const at = performance.now();
    for (const [text, seenAt] of this.seen) if (at - seenAt > AWAY_MS) this.seen.delete(text);
    const nearest = answer.codes.slice().sort((a, b) => Math.hypot(a.x, a.y) - Math.hypot(b.x, b.y))[0];
    for (const code of answer.codes) if (this.seen.has(code.text)) this.seen.set(code.text, at);
    if (!nearest || this.seen.has(nearest.text)) return;
    this.seen.set(nearest.text, at);
    this.onCode(nearest.text, nearest);
  }

  _ask(message, transfer = []) {
    if (!this.worker) {
      this.worker = new Worker(new URL("./scanner-worker.js", import.meta.url), { type: "module" });
      this.worker.onmessage = ({ data }) => {
        const waiting = this.pending.get(data.id);
        this.pending.delete(data.id);
        if (waiting) waiting(data);
      };
    }
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.pending.delete(id); reject(new CameraError("failed")); }, message.warm || message.all ? STALL_MS * 4 : STALL_MS);
      this.pending.set(id, (data) => { clearTimeout(timer); resolve(data); });
      this.worker.postMessage({ id, ...message }, transfer);
    });
  }
}
