"""What mail says: for each kind a function that makes a letter out of a context. Layout is the templates' business."""
