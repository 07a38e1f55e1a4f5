// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { App } from "./app/app.tsx";
import { applyTheme, chosenTheme } from "./ui/theme.ts";

applyTheme(chosenTheme());
render(<App />, document.getElementById("app") as HTMLElement);
