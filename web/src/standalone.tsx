// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { Report, type ReportData } from "./ui/report.tsx";
import { checkShape } from "./flame/model.ts";

/** The report's own data, in the document; a report that was cut short or edited says so. */
function start(): void {
	const host = document.createElement("div");
	host.id = "report";
	document.body.append(host);
	try {
		const data = JSON.parse(document.getElementById("pyrometer-data")?.textContent ?? "") as ReportData;
		checkShape(data.view);
		render(<Report data={data} />, host);
	} catch (error) {
		host.textContent = `This report cannot be shown: ${(error as Error).message}`;
	}
}

start();
