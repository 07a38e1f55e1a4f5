// SPDX-License-Identifier: Apache-2.0

/** What a person typed or chose. */
export function inputValue(event: Event): string {
	return (event.target as HTMLSelectElement | HTMLInputElement).value;
}
