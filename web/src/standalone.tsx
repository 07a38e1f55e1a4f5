document.title = "Pyrometer";
