function love.conf(t)
  t.window.width, t.window.height = 256, 256
  t.window.title = "diffuse"
  t.modules.audio, t.modules.sound, t.modules.joystick, t.modules.physics = false, false, false, false
end
