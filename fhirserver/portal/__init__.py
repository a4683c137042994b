"""Web pages: what a person sees in a browser. Server-rendered, without script unless a page cannot do without."""
