// The instant solution as a custom provider of promptfoo: it runs inside promptfoo's process, no endpoint.
module.exports = class FirstWord {
  id() {
    return "first-word";
  }

  async callApi(prompt) {
    return { output: prompt.split(" ", 1)[0] };
  }
};
