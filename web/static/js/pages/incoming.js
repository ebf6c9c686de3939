/** Incoming boxes, fresh every ten seconds. */
import { refreshEvery } from "./office.js";

refreshEvery(10, ["#incoming tbody", "#incoming-tiles"]);
