"""The portal: what a vendor's customers see of themselves. Its sessions open no page of the console."""
