// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";

/** Nothing has arrived yet: what to type, and a line that changes as soon as something does. */
export function FirstRun({ isReachable }: { isReachable: boolean }) {
	const server = location.origin;
	return (
		<main class="firstrun">
			<h1>No profiles yet</h1>
			<p>
				Pyrometer shows where running programs spend their time. Send it something to show, from any
				machine that reaches this address:
			</p>
			<Command
				title="Attach to a Python process that is running"
				note="needs the right to trace it: root, or CAP_SYS_PTRACE"
				text={`sudo pyrometer record -p PID --push ${server} --service my-service --source`}
			/>
			<Command
				title="Or start a program under it"
				note="needs no rights at all"
				text={`pyrometer record --push ${server} --service my-service --source -- python3 app.py`}
			/>
			<Command
				title="Or send from a Pyroscope SDK or an agent that speaks its protocol"
				note="with the SDK's own server_address set to this server"
				text={`pyroscope.configure(application_name="my-service", server_address="${server}")`}
			/>
			<p class="waiting" role="status">
				<i class="pulse" aria-hidden="true" />
				{isReachable
					? ` Waiting for the first profile, listening on ${server} …`
					: " The server does not answer; trying again …"}
			</p>
		</main>
	);
}

function Command({ title, note, text }: { title: string; note: string; text: string }) {
	const [isCopied, setCopied] = useState(false);
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
			setCopied(true);
			setTimeout(() => setCopied(false), 2000);
		} catch {
			setCopied(false);
		}
	};
	return (
		<div class="command">
			<h2>
				{title} <small>{note}</small>
			</h2>
			<pre>
				<code>{text}</code>
				<button type="button" onClick={copy}>
					{isCopied ? "Copied" : "Copy"}
				</button>
			</pre>
		</div>
	);
}
