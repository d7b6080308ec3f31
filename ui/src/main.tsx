/** The first thing that runs: styles, theme, keys, session, then the page that the URL names. */
import { render } from "preact";
import { App } from "./app/app";
import { startKeys } from "./app/keys";
import { startLocation } from "./app/location";
import { startTheme } from "./app/theme";
import "./design/tokens.css";
import "./design/base.css";

startTheme();
startLocation();
startKeys();
render(<App />, document.getElementById("app")!);
