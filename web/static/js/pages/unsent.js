/** What was not sent yet, fresh every half minute. */
import { refreshEvery } from "./office.js";

refreshEvery(30, ["#unsent tbody", "#unsent-tiles", "#unsent-sites tbody"]);
