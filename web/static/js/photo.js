/**
 * A photo in a form: taken by the camera of a phone or chosen on a PC, made smaller here, sent when the form is.
 *
 *   const photo = wirePhoto(form);            // a form with macros/photo.html in it
 *   photo.reset(); const sha256 = await photo.send();   // null when none was taken; throws ApiError
 */
import { api } from "./api.js";
import { _ } from "./i18n.js";

const SIDE_PX = 1600;
const QUALITY = 0.85;

/** The picture as a JPEG of at most 1600 px, upright; the file itself where the browser cannot read it. */
export async function smaller(file) {
  const address = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const scale = Math.min(1, SIDE_PX / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return (await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY))) || file;
  } catch (error) {
    return file; // the server says what is wrong with it
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Send one picture; resolves with its SHA-256, which an act quotes. */
export async function sendPhoto(file) {
  const form = new FormData();
  form.append("photo", await smaller(file), "photo.jpg");
  return (await api("/api/v1/photos", { form, timeout: 30000 })).photo;
}

export function wirePhoto(form) {
  const root = form.querySelector("[data-photo]");
  const input = root.querySelector("input[type=file]");
  const preview = root.querySelector("img");
  const drop = root.querySelector("[data-photo-drop]");
  const label = root.querySelector("[data-photo-label]");

  function paint() {
    if (preview.src) URL.revokeObjectURL(preview.src);
    const file = input.files[0];
    preview.hidden = drop.hidden = !file;
    if (file) preview.src = URL.createObjectURL(file);
    else preview.removeAttribute("src");
    label.textContent = file ? _("Another photo") : _("Take a photo");
  }

  input.addEventListener("change", paint);
  drop.addEventListener("click", () => {
    input.value = "";
    paint();
    input.focus();
  });
  return {
    reset: () => {
      input.value = "";
      paint();
    },
    send: async () => (input.files[0] ? sendPhoto(input.files[0]) : null),
  };
}
