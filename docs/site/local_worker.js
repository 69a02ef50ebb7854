// From file:// a browser refuses workers, and the search of the site is one. There a hidden frame takes its place:
// it runs the worker's script, and messages go to and fro as a worker's do.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script src="${new URL(url, document.baseURI)}"><\/script>`;
      this.frame.onload = () => {
        this.inside = this.frame.contentWindow;
        this.inside.postMessage = (data) => setTimeout(() => this.onmessage && this.onmessage({ data }));
        this.waiting.splice(0).forEach((data) => this.postMessage(data));
      };
      document.documentElement.append(this.frame);
    }
    postMessage(data) {
      if (this.inside) setTimeout(() => this.inside.onmessage({ data }));
      else this.waiting.push(data);
    }
    terminate() {
      this.frame.remove();
    }
  };
}
