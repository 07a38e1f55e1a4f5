// SPDX-License-Identifier: Apache-2.0

/** Cuts labels to a width; measures each character once, since measureText() per box is what makes painting slow. */
export class TextFitter {
	private readonly widths = new Map<string, number>();

	constructor(private readonly ctx: CanvasRenderingContext2D) {}

	width(text: string): number {
		let sum = 0;
		for (const char of text) sum += this.charWidth(char);
		return sum;
	}

	/** The text, or its beginning with an ellipsis, or "" when not even two characters fit. */
	fit(text: string, room: number): string {
		let sum = 0;
		const ellipsis = this.charWidth("…");
		let fits = 0;
		let i = 0;
		for (const char of text) {
			sum += this.charWidth(char);
			i += char.length;
			if (sum + ellipsis <= room) fits = i;
			if (sum > room) return fits >= 2 ? text.slice(0, fits) + "…" : "";
		}
		return text;
	}

	private charWidth(char: string): number {
		let width = this.widths.get(char);
		if (width === undefined) {
			width = this.ctx.measureText(char).width;
			this.widths.set(char, width);
		}
		return width;
	}
}
