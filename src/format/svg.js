(() => {
	'use strict';
	const svg = document.querySelector('svg'), $ = id => svg.getElementById(id);
	const left = 10, wide = 1180, charPx = 7.3, NS = svg.namespaceURI;
	const boxes = Array.from(svg.querySelectorAll('.b'), g => {
		const r = g.querySelector('rect'), note = g.querySelector('title').textContent;
		return {g, r, text: g.querySelector('text'), note, label: note.split('\n')[0],
			found: note.split('\n').slice(0, 2).join('\n'), x: +r.getAttribute('x'), y: +r.getAttribute('y'),
			w: +r.getAttribute('width'), parent: +g.dataset.p, merged: g.classList.contains('merged')};
	});
	let top = 0, query = '';

	function label(box, width) {
		const room = Math.floor((width - 6) / charPx), chars = Array.from(box.label);
		if (!box.text) {
			if (room < 3) return;
			box.text = box.g.appendChild(document.createElementNS(NS, 'text'));
			box.text.setAttribute('y', box.y + 12.5);
		}
		box.text.textContent = room < 3 ? '' : chars.length <= room ? box.label : chars.slice(0, room - 1).join('') + '\u2026';
	}
	function place(box, x, width) {
		box.r.setAttribute('x', x);
		box.r.setAttribute('width', width);
		label(box, width);
		if (box.text) box.text.setAttribute('x', x + 3);
	}
	function draw() {
		const zoomed = boxes[top], above = new Set(), inside = [];
		for (let i = top; i; i = boxes[i].parent) above.add(boxes[i].parent);
		boxes.forEach((box, i) => {
			inside[i] = i === top || (i > 0 && inside[box.parent]);
			const scale = wide / (zoomed.w || 1), shown = above.has(i) || (inside[i] && box.w * scale > .1);
			box.g.classList.toggle('hide', !shown);
			box.g.classList.toggle('above', above.has(i));
			if (shown) above.has(i) ? place(box, left, wide) : place(box, left + (box.x - zoomed.x) * scale, box.w * scale);
		});
		$('reset').classList.toggle('hide', !top && !query);
		mark();
	}
	function expression() {
		const own = /^\/(.+)\/$/.exec(query);
		try {
			return own ? new RegExp(own[1]) : new RegExp(query.replace(/[^\w\s]/g, '\\$&'), 'i');
		} catch (e) {
			return null;
		}
	}
	// A box below a box that matches is matched already; merged boxes cannot be looked into.
	function mark() {
		const re = query && expression(), covered = [];
		let sum = 0, unknown = false;
		boxes.forEach((box, i) => {
			const hit = !!re && i > 0 && !box.merged && re.test(box.found), was = i > 0 && covered[box.parent];
			covered[i] = hit || was;
			box.g.classList.toggle('hit', hit);
			if (hit && !was) sum += box.w;
			if (box.merged && !was) unknown = true;
		});
		$('matched').textContent = !query ? '' : !re ? 'not an expression' :
			'matched ' + (unknown ? '\u2265 ' : '') + (100 * sum / (boxes[0].w || 1)).toFixed(2) + ' % of all';
	}
	// The state is in the fragment, by names: #z=main/work&s=foo
	function save() {
		const path = [];
		for (let i = top; i; i = boxes[i].parent) path.unshift(encodeURIComponent(boxes[i].label));
		const hash = '#' + [path.length ? 'z=' + path.join('/') : '', query ? 's=' + encodeURIComponent(query) : ''].filter(Boolean).join('&');
		if (hash !== (location.hash || '#')) location.hash = hash;
		draw();
	}
	function load() {
		top = 0;
		query = '';
		for (const part of location.hash.slice(1).split('&')) {
			const value = part.slice(2);
			if (part.startsWith('s=')) query = decodeURIComponent(value);
			if (part.startsWith('z=')) for (const name of value.split('/').map(decodeURIComponent)) {
				const next = boxes.findIndex((box, i) => i && box.parent === top && box.label === name);
				if (next < 0) break;
				top = next;
			}
		}
		draw();
	}
	function search() {
		const answer = prompt('Search functions and files: text, or /an expression/', query);
		if (answer === null) return;
		query = answer;
		save();
	}
	function reset() {
		top = 0;
		query = '';
		save();
	}
	boxes.forEach((box, i) => box.g.addEventListener('click', () => {
		if (box.merged) return;
		top = i;
		save();
	}));
	$('search').addEventListener('click', search);
	$('reset').addEventListener('click', reset);
	addEventListener('hashchange', load);
	addEventListener('keydown', e => {
		if (e.key === '/' || (e.key === 'f' && (e.ctrlKey || e.metaKey))) {
			e.preventDefault();
			search();
		} else if (e.key === 'Escape') reset();
	});
	$('search').classList.remove('hide');
	svg.classList.add('live');
	load();
})();
