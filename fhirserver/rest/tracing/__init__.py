"""What a worker does for traces and notices beside answering: anchors, news, export, retention."""
